"""Drafts that many writers fill: a part of one, and the commit that seals it.

Writers are runs. A run that is resumed under its id, by any process, is the same writer.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index

from headwater_consumer import queries
from headwater_producer.commits import CommitVersion, SentCommit, Upsert, commit_event, send_entries
from headwater_producer.producer import SentEvent
from headwater_schemas.errors import EventRejected, InvalidInput, Reason
from headwater_schemas.events import Event, VersionCommitted, WriterDone, shared_draft
from headwater_schemas.limits import WRITERS_MAX
from headwater_stores.telling.progress import notify

from headwater._commit.outcomes import Outcomes
from headwater._commit.record import CommitRecord
from headwater._commit.session import WriteSession
from headwater._commit.task import Task
from headwater._commit.tasks import C, Committed, ContentTask
from headwater._commit.write_queue import WriteQueue
from headwater._content.content import identity
from headwater._content.overlay import file_or_reference


@dataclass(frozen=True, slots=True)
class SharedDraft:
    """A shared draft, and the run that writes to it."""

    distributed_id: str
    writer: str  # "entity/project/RUN"

    @property
    def draft(self) -> str:
        """The draft's id on the log."""
        return shared_draft(self.distributed_id)


class _SharedDraftTask(ContentTask[C]):
    """What one writer does to a shared draft, in two steps: its entries, and once they are accepted the closing event.

    A draft of which a part was rejected is not sealed as if it were complete.
    """

    def __init__(
        self, queue: WriteQueue, session: WriteSession, record: CommitRecord, command: C, shared: SharedDraft
    ) -> None:
        super().__init__(queue, session, record, command)
        self._shared = shared
        self._closing: SentEvent | None = None

    @property
    def sent(self) -> Sequence[SentEvent]:
        return super().sent if self._closing is None else [self._closing]

    def _resolve_content(self, outcomes: Outcomes) -> bool:
        assert self._sent is not None
        outcome = outcomes.of_draft(self._sent.collection, self._sent.draft)
        if self._closing is not None:
            outcomes.raise_rejection([self._closing])
            return self._resolve_closing(outcome)
        try:
            outcomes.raise_rejection(self._sent.events)
        except EventRejected as rejected:
            if self._is_condemned(rejected):
                return False
            if not self._tolerates(rejected.reason, outcome):
                raise
        if outcome is None:
            raise self._blocked()
        self._record.stager.forget(self._sent.locations)
        (self._closing,) = self._session.producer.send([self._closing_event()])
        return False

    @abstractmethod
    def _closing_event(self) -> Event:
        """What is sent once the entries are accepted."""

    @abstractmethod
    def _resolve_closing(self, outcome: queries.Outcome | None) -> bool:
        """Take note of the draft's outcome after the closing event, which was not rejected."""

    def _tolerates(self, reason: Reason, outcome: queries.Outcome | None) -> bool:  # noqa: ARG002
        """Whether the closing event may be sent although entries were rejected."""
        return False

    def _plan(self) -> C:  # what is sent does not depend on what is stored
        return self._full_command()

    def _publish(self, command: C) -> SentCommit:
        shared, stager = self._shared, self._record.stager
        return send_entries(
            command,
            stager,
            self._session.producer,
            draft=shared.draft,
            writer=shared.writer,
            restore=self._restore,
        )


class UpsertTask(_SharedDraftTask[Upsert]):
    """What one writer adds to a shared draft. Once its entries are accepted, the closing event need only be durable.

    A rule can reject that only where the draft was sealed or discarded without waiting for it.
    """

    @property
    def rejectable(self) -> bool:  # type: ignore[override]
        return self._closing is None

    def _closing_event(self) -> WriterDone:
        return WriterDone(collection=self._command.collection, draft=self._shared.draft, writer=self._shared.writer)

    def _resolve_closing(self, outcome: queries.Outcome | None) -> bool:  # noqa: ARG002 - irrelevant
        self.succeed(None)
        return True


class FinishTask(_SharedDraftTask[CommitVersion]):
    """The commit of a shared draft, possibly with a last part of it.

    It succeeds with None where the draft will be sealed later, once all the writers that it waits for are done.
    """

    def __init__(
        self,
        queue: WriteQueue,
        session: WriteSession,
        record: CommitRecord,
        command: CommitVersion,
        shared: SharedDraft,
        part: Task[Committed | None] | None,
    ) -> None:
        """`part` upserted the artifact to the draft that it now finishes: if it failed, so does this."""
        super().__init__(queue, session, record, command, shared)
        self._part = part

    @property
    def commit(self) -> SentEvent | None:
        """The commit's event, once it was sent: a seal that waits for writers may still be rejected."""
        return self._closing

    def _resolve_content(self, outcomes: Outcomes) -> bool:
        if self._part is not None and self._part.failed:
            self._part.result()  # raises its error
        return super()._resolve_content(outcomes)

    def _closing_event(self) -> VersionCommitted:
        return commit_event(self._command, self._shared.draft)

    def _resolve_closing(self, outcome: queries.Outcome | None) -> bool:
        if outcome is None or outcome.is_uncommitted:
            raise self._blocked()
        committed = Committed.of(outcome)
        if not self._session.quiet:
            self._report(committed)
        if committed is not None:
            self._warn_if_ignored(committed)
            if not self._content.count:
                self._warn_if_empty(committed.version)
        self.succeed(committed)
        return True

    def _tolerates(self, reason: Reason, outcome: queries.Outcome | None) -> bool:
        """Finishing again is the same version; and a finish without entries need not know the writers' base."""
        if reason is Reason.BASE_MISMATCH:
            return self._content.base is None and not self._content.count
        if reason is not Reason.DRAFT_SEALED or outcome is None or outcome.version is None:
            return False
        return self._is_contained_in(outcome.version)

    def _is_contained_in(self, version: int) -> bool:
        """Whether the sealed version holds everything that this finish would add."""
        reads, content = self._session.reads, self._content
        info = reads.version_info(self._command.collection, version)
        if info is None:  # a sealed draft names an existing version
            from headwater_consumer.database.lost_transactions import lost_transactions  # deferred: database

            raise lost_transactions(reads.name)
        wanted = content.identities()
        found = reads.entries_of(info.layers, [*wanted, *content.removed])
        return {path: identity(file_or_reference(entry)) for path, entry in found.items()} == wanted

    def _report(self, committed: Committed | None) -> None:
        if committed is None:
            notify(f"{self._label} will be sealed once {self._command.writers} writers are done")
        else:
            notify(f"{self._label} is {self._session.shown(self._command.collection)}:v{committed.version}")

    def _warn_if_empty(self, version: int) -> None:
        """Most likely the writers had another id."""
        info = self._session.reads.version_info(self._command.collection, version)
        if info is not None and not info.entry_count:
            notify(f"{self._label} was sealed without entries as v{version}. Check that writers upserted with this id")

    @property
    def _label(self) -> str:
        return f"{self._session.shown(self._command.collection)}: draft {self._shared.distributed_id!r}"


def check_writers(writers: object) -> int | None:
    """The number of writers that a commit waits for. Raises: InvalidInput for what is no such number."""
    if writers is None:
        return None
    try:
        number = 0 if isinstance(writers, bool) else index(writers)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if not 1 <= number <= WRITERS_MAX:
        raise InvalidInput(f"writers must be between 1 and {WRITERS_MAX:,}, not {writers!r}.")
    return number
