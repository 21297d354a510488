"""Drafts that many writers fill: a part of one, and the commit that seals it.

Writers are runs. A run that is started again under its id, from whatever process, is the same writer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater_consumer import queries
from headwater_producer.commits import CommitVersion, SentCommit, Upsert, send_commit, send_upsert
from headwater_producer.intake import Intake
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.events import shared_draft

from headwater._content import Content, identity
from headwater._logger import Logger
from headwater._overlay import held_of
from headwater._progress import tell
from headwater._tasks import Committed, ContentTask

if TYPE_CHECKING:
    from headwater._client import Client


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which shared draft, and who writes to it."""

    distributed_id: str
    writer: str  # "entity/project/RUN"

    @property
    def draft(self) -> str:
        """The draft's id on the log."""
        return shared_draft(self.distributed_id)


class UpsertTask(ContentTask[Upsert]):
    """What one writer adds to a shared draft."""

    def __init__(
        self,
        logger: Logger,
        command: Upsert,
        content: Content,
        intake: Intake,
        late: Mapping[str, str],
        sharing: Sharing,
    ) -> None:
        super().__init__(logger, command, content, intake, late)
        self._sharing = sharing

    def settle(self, client: "Client") -> bool:
        assert self._sent is not None
        client.raise_rejection(self._sent.events)
        if client.outcome_of(self._sent.collection, self._sent.draft) is None:
            raise self._waits()
        self._intake.forget(self._sent.places)
        self.succeed(None)
        return True

    def _plan(self, client: "Client") -> Upsert:  # noqa: ARG002 - what is sent depends on nothing that is there
        return self._everything()

    def _hand_over(self, client: "Client", command: Upsert) -> SentCommit:
        sharing = self._sharing
        return send_upsert(command, self._intake, client.producer, draft=sharing.draft, writer=sharing.writer)


class FinishTask(ContentTask[CommitVersion]):
    """The commit of a shared draft, perhaps with a last part of it.

    It succeeds with None where the draft will be sealed once all the writers are done that it waits for.
    """

    def __init__(
        self,
        logger: Logger,
        command: CommitVersion,
        content: Content,
        intake: Intake,
        late: Mapping[str, str],
        sharing: Sharing,
    ) -> None:
        super().__init__(logger, command, content, intake, late)
        self._sharing = sharing

    @property
    def commit(self) -> tuple[str, str, int] | None:
        """(session, key, sequence) of the commit's event, once it was sent: a seal to come may still be refused."""
        if self._sent is None:
            return None
        last = self._sent.events[-1]
        return last.session, last.key, last.sequence

    def settle(self, client: "Client") -> bool:
        assert self._sent is not None
        outcome = client.outcome_of(self._sent.collection, self._sent.draft)
        try:
            client.raise_rejection(self._sent.events)
        except EventRejected as rejected:
            if rejected.reason is not Reason.DRAFT_SEALED or outcome is None or not self._is_in(client, outcome):
                raise
        if outcome is None:
            raise self._waits()
        self._intake.forget(self._sent.places)
        committed = None if outcome.version is None else Committed(outcome.version, outcome.recognised)
        if not client.quiet:
            self._tell(committed)
        self.succeed(committed)
        return True

    def _plan(self, client: "Client") -> CommitVersion:  # noqa: ARG002 - as above
        return self._everything()

    def _hand_over(self, client: "Client", command: CommitVersion) -> SentCommit:
        sharing = self._sharing
        return send_commit(command, self._intake, client.producer, draft=sharing.draft, writer=sharing.writer)

    def _is_in(self, client: "Client", outcome: queries.Outcome) -> bool:
        """Whether the sealed version holds all that this finish would add: then it is a second one of the same."""
        if outcome.version is None:
            return False
        database, content = client.stores.database, self._content
        info = queries.version_info(database, self._command.collection, outcome.version)
        assert info is not None, "a draft was sealed as a version that is not there"
        wanted = {path: identity(held) for path, held in content.files.items()}
        wanted |= {path: identity(reference) for path, reference in content.references.items()}
        found = queries.entries_of(database, info.layers, [*wanted, *content.removed])
        return {path: identity(held_of(entry)) for path, entry in found.items()} == wanted

    def _tell(self, committed: Committed | None) -> None:
        draft = f"{self._command.collection.rpartition('/')[2]}: draft {self._sharing.distributed_id!r}"
        if committed is None:
            tell(f"{draft} will be sealed when {self._command.writers} writers are done")
        else:
            tell(f"{draft} is v{committed.version}")
