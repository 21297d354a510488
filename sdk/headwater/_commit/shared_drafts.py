"""Drafts that many writers fill: a part of one, and the commit that seals it.

Writers are runs. A run that is started again under its id, from whatever process, is the same writer.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING

from headwater_consumer import queries
from headwater_producer.commits import CommitVersion, SentCommit, Upsert, commit_event, send_entries
from headwater_producer.producer import SentEvent
from headwater_producer.stager import BlobStager
from headwater_schemas.errors import EventRejected, InvalidInput, Reason
from headwater_schemas.events import WRITERS_MAX, Event, VersionCommitted, WriterDone, shared_draft

from headwater._commit.tasks import C, Committed, ContentTask
from headwater._commit.write_queue import Logger, Task
from headwater._content.content import Content, identity
from headwater._content.overlay import held_of
from headwater._progress import tell

if TYPE_CHECKING:
    from headwater._commit.client import Client


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which shared draft, and who writes to it."""

    distributed_id: str
    writer: str  # "entity/project/RUN"

    @property
    def draft(self) -> str:
        """The draft's id on the log."""
        return shared_draft(self.distributed_id)


class _SharingTask(ContentTask[C]):
    """What one writer does to a shared draft, in two steps: its entries, and once they count its last word.

    A draft of which a part was refused is not sealed as if it were whole.
    """

    def __init__(
        self,
        logger: Logger,
        command: C,
        content: Content,
        stager: BlobStager,
        deferred: Mapping[str, str],
        sharing: Sharing,
    ) -> None:
        super().__init__(logger, command, content, stager, deferred)
        self._sharing = sharing
        self._last_word: SentEvent | None = None

    def settle(self, client: "Client") -> bool:
        assert self._sent is not None
        outcome = client.outcome_of(self._sent.collection, self._sent.draft)
        if self._last_word is not None:
            return self._finally(client, outcome)
        try:
            client.raise_rejection(self._sent.events)
        except EventRejected as rejected:
            if not self._is_excused(client, rejected.reason, outcome):
                raise
        if outcome is None:
            raise self._waits()
        self._stager.forget(self._sent.locations)
        (self._last_word,) = client.producer.send([self._word()])
        return False

    @abstractmethod
    def _word(self) -> Event:
        """What is said when the entries count."""

    @abstractmethod
    def _finally(self, client: "Client", outcome: queries.Outcome | None) -> bool:
        """Find out what became of the last word."""

    def _is_excused(self, client: "Client", reason: Reason, outcome: queries.Outcome | None) -> bool:  # noqa: ARG002
        """Whether the last word may be said although entries were refused."""
        return False

    def _plan(self, client: "Client") -> C:  # noqa: ARG002 - what is sent depends on nothing that is there
        return self._everything()

    def _hand_over(self, client: "Client", command: C) -> SentCommit:
        sharing = self._sharing
        return send_entries(command, self._stager, client.producer, draft=sharing.draft, writer=sharing.writer)


class UpsertTask(_SharingTask[Upsert]):
    """What one writer adds to a shared draft. Once its entries count, its last word need only be durable.

    A rule can refuse that only where the draft was sealed or discarded without waiting for it.
    """

    @property
    def judged(self) -> bool:  # type: ignore[override]
        return self._last_word is None

    def _word(self) -> WriterDone:
        return WriterDone(collection=self._command.collection, draft=self._sharing.draft, writer=self._sharing.writer)

    def _finally(self, client: "Client", outcome: queries.Outcome | None) -> bool:  # noqa: ARG002 - of no importance
        self.succeed(None)
        return True


class FinishTask(_SharingTask[CommitVersion]):
    """The commit of a shared draft, perhaps with a last part of it.

    It succeeds with None where the draft will be sealed once all the writers are done that it waits for.
    """

    def __init__(
        self,
        logger: Logger,
        command: CommitVersion,
        content: Content,
        stager: BlobStager,
        deferred: Mapping[str, str],
        sharing: Sharing,
        part: Task[Committed | None] | None,
    ) -> None:
        """`part` is what handed the finishing artifact itself to the draft before: where it failed, so does this."""
        super().__init__(logger, command, content, stager, deferred, sharing)
        self._part = part

    @property
    def commit(self) -> SentEvent | None:
        """The commit's event, once it was sent: a seal to come may still be refused."""
        return self._last_word

    def settle(self, client: "Client") -> bool:
        if self._part is not None and self._part.failed:
            self._part.result()  # raises what is wrong with it
        return super().settle(client)

    def _word(self) -> VersionCommitted:
        return commit_event(self._command, self._sharing.draft)

    def _finally(self, client: "Client", outcome: queries.Outcome | None) -> bool:
        assert self._last_word is not None
        client.raise_rejection([self._last_word])
        if outcome is None:
            raise self._waits()
        committed = None if outcome.version is None else Committed(outcome.version, outcome.recognised)
        if not client.quiet:
            self._tell(committed)
        if committed is not None and not self._content.count:
            self._warn_if_empty(client, committed.version)
        self.succeed(committed)
        return True

    def _is_excused(self, client: "Client", reason: Reason, outcome: queries.Outcome | None) -> bool:
        """A second finish of the same is the same version; and who adds nothing need not know the writers' base."""
        if reason is Reason.BASE_MISMATCH:
            return self._content.base is None and not self._content.count
        if reason is not Reason.DRAFT_SEALED or outcome is None or outcome.version is None:
            return False
        return self._is_in(client, outcome.version)

    def _is_in(self, client: "Client", version: int) -> bool:
        """Whether the sealed version holds all that this finish would add."""
        database, content = client.stores.database, self._content
        info = queries.version_info(database, self._command.collection, version)
        assert info is not None, "a draft was sealed as a version that is not there"
        wanted = {path: identity(held) for path, held in content.files.items()}
        wanted |= {path: identity(reference) for path, reference in content.references.items()}
        found = queries.entries_of(database, info.layers, [*wanted, *content.removed])
        return {path: identity(held_of(entry)) for path, entry in found.items()} == wanted

    def _tell(self, committed: Committed | None) -> None:
        if committed is None:
            tell(f"{self._name} will be sealed when {self._command.writers} writers are done")
        else:
            tell(f"{self._name} is v{committed.version}")

    def _warn_if_empty(self, client: "Client", version: int) -> None:
        """Most likely the writers had another id."""
        info = queries.version_info(client.stores.database, self._command.collection, version)
        if info is not None and not info.entry_count:
            tell(f"{self._name} was sealed with nothing in it, as v{version}: has anybody upserted under this id?")

    @property
    def _name(self) -> str:
        return f"{self._command.collection.rpartition('/')[2]}: draft {self._sharing.distributed_id!r}"


def check_writers(writers: object) -> int | None:
    """How many writers a commit waits for. Raises: InvalidInput for what is no such number."""
    if writers is None:
        return None
    try:
        number = 0 if isinstance(writers, bool) else index(writers)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if not 1 <= number <= WRITERS_MAX:
        raise InvalidInput(f"finish_artifact waits for 1 to {WRITERS_MAX:,} writers, not for {writers!r}.")
    return number
