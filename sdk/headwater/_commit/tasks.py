"""What can be logged: plain events, and content with the events that name it. Versions are in `commit_task`."""

import threading
from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from headwater_consumer import queries
from headwater_producer.commits import SentCommit, Upsert
from headwater_producer.producer import SentEvent
from headwater_schemas.errors import BlobMissing, EventRejected, HeadwaterError, Reason, StoreUnavailable
from headwater_schemas.events import Event
from headwater_schemas.keys import collection_key
from headwater_stores.telling.progress import notify

from headwater._commit.outcomes import Outcomes
from headwater._commit.record import CommitRecord
from headwater._commit.session import WriteSession
from headwater._commit.task import Task
from headwater._commit.write_queue import WriteQueue
from headwater._ingest.deferred import ingest_deferred
from headwater._ingest.restoring import ingest_from_sources

STORED_AGAIN_MAX = 5  # times that one task may find content condemned; through a server it takes two for one time


class EventsTask(Task[None]):
    """Events that need no content."""

    def __init__(
        self,
        queue: WriteQueue,
        session: WriteSession,
        events: Sequence[Event],
        *,
        rejectable: bool,
        affects_names: bool,
        message: str | None = None,
    ) -> None:
        super().__init__(queue)
        self.rejectable = rejectable
        self.affects_names = affects_names
        self._session = session
        self._events = events
        self._message = message
        self._sent: Sequence[SentEvent] = ()
        self._sending = threading.Lock()

    @property
    def keys(self) -> Collection[str]:
        return {event.key for event in self._events}

    @property
    def sent(self) -> Sequence[SentEvent]:
        return self._sent

    def send(self) -> None:
        with self._sending:
            self._sent = self._session.producer.send(self._events, message=self._message)

    def withdraw(self) -> Sequence[Event]:
        """Take back those events that were not sent yet: whoever does this sends them."""
        with self._sending:
            if self._sent:
                return ()
            taken, self._events = self._events, ()
            return taken

    def resolve(self, outcomes: Outcomes) -> bool:
        if self.rejectable:
            outcomes.raise_rejection(self._sent)
        self.succeed(None)
        return True


@dataclass(frozen=True, slots=True)
class Committed:
    """The version that a commit became."""

    version: int
    deduplicated: bool  # the version existed before, with the same content
    attributes_ignored: bool = False  # and keeps its own attributes, which the author may not change
    info: queries.VersionInfo | None = None  # what was recorded about it then, where that came along

    @classmethod
    def of(cls, outcome: queries.Outcome) -> "Committed | None":
        """None where there is no version."""
        if outcome.version is None:
            return None
        return cls(outcome.version, outcome.deduplicated, outcome.attributes_ignored, outcome.info)


C = TypeVar("C", bound=Upsert)


class ContentTask(Task[Committed | None], Generic[C]):
    """Bytes first, then the events that name them.

    The first content of a project waits until the project has its digest algorithm.
    """

    affects_names = True

    def __init__(self, queue: WriteQueue, session: WriteSession, record: CommitRecord, command: C) -> None:
        """`command` has everything but the entries."""
        super().__init__(queue)
        self._session = session
        self._record = record
        self._content = record.content
        self._command = command
        self._sent: SentCommit | None = None
        self._claim: SentEvent | None = None  # of the digest algorithm, which is to be accepted first
        self._new_bytes = self._new_contents = 0  # that were not stored before
        self._stored_again = 0  # times

    @property
    def draft(self) -> tuple[str, str] | None:
        return None if self._sent is None else (self._sent.collection, self._sent.draft)

    @property
    def keys(self) -> Collection[str]:
        return {collection_key(self._command.collection)}

    @property
    def sent(self) -> Sequence[SentEvent]:
        if self._claim is not None:
            return [self._claim]
        return () if self._sent is None else self._sent.events

    def send(self) -> None:
        algorithm = self._record.stager.algorithm
        self._claim = self._session.algorithms.claim(self._command.project, algorithm)
        if self._claim is None:
            self._send_content()

    def refused(self, refusal: HeadwaterError) -> bool:
        return isinstance(refusal, BlobMissing) and self._store_again()

    def succeed(self, result: Committed | None) -> None:
        super().succeed(result)
        self._record.sources.close()

    def fail(self, error: BaseException) -> None:
        super().fail(error)
        self._record.sources.close()

    def resolve(self, outcomes: Outcomes) -> bool:
        if self._claim is None:
            return self._resolve_content(outcomes)
        outcomes.raise_rejection([self._claim])
        if not self._session.algorithms.settle(self._command.project, self._record.stager.algorithm):
            raise self._blocked_claim()
        self._queue.retry(self._send_content)
        self._claim = None
        return False

    @abstractmethod
    def _resolve_content(self, outcomes: Outcomes) -> bool:
        """As `resolve`, once the content was sent."""

    def _send_content(self) -> None:
        stager = self._record.stager
        ingest_deferred(stager, self._content.files, self._record.deferred, quiet=self._session.quiet)
        command = self._plan()
        bytes_before, contents_before = stager.published_bytes, stager.published_contents
        self._sent = self._publish(command)
        self._new_bytes += stager.published_bytes - bytes_before
        self._new_contents += stager.published_contents - contents_before

    def _is_condemned(self, rejected: EventRejected) -> bool:
        """Whether content that this relied on was condemned meanwhile. Then it is stored anew, and all is sent again.

        The projection covers the rejection by now, so it knows what is condemned.
        """
        return rejected.reason is Reason.BLOB_CONDEMNED and self._store_again()

    def _store_again(self) -> bool:
        if self._sent is None or self._stored_again == STORED_AGAIN_MAX:
            return False
        self._stored_again += 1
        self._record.stager.distrust(self._sent.locations)
        self._queue.retry(self._send_content)
        return True

    def _restore(self, missing: Collection[bytes]) -> None:
        """Ingest content again that was stored when it was added, and is not any more."""
        record, quiet = self._record, self._session.quiet
        ingest_from_sources(record.stager, self._content.files, record.sources, missing, quiet=quiet)

    @abstractmethod
    def _plan(self) -> C:
        """The command with the entries that must be sent."""

    @abstractmethod
    def _publish(self, command: C) -> SentCommit:
        """Publish the bytes, and send the events."""

    def _warn_if_ignored(self, committed: Committed) -> None:
        """What the caller asked for did not happen, though the commit did."""
        if committed.attributes_ignored:
            notify(
                f"{self._session.shown(self._command.collection)}:v{committed.version} keeps its description, tags and "
                "aliases: it has this content already, "
                "and you may log but not change what exists. Ask somebody who may"
            )

    def _blocked(self) -> StoreUnavailable:
        """The error when there is neither an outcome nor a rejection."""
        return StoreUnavailable(
            f"{self._command.collection} is parked behind an event that cannot be decoded. What was logged is safe "
            "and will be applied once that event is resolved. Run `headwater doctor` for details."
        )

    def _blocked_claim(self) -> StoreUnavailable:
        """The same for the event before the content."""
        return StoreUnavailable(
            f"the settings of {self._command.project} are parked behind an event that cannot be decoded, so nothing "
            f"was logged to {self._command.collection}. Log again once that event is resolved; run `headwater doctor` "
            "for details."
        )

    def _full_command(self) -> C:
        """The command with the whole content, over its base if it has one."""
        content = self._content
        base = None if content.base is None else content.base.version
        references, removed = list(content.references.values()), content.removed
        return replace(
            self._command,
            base=base,
            files=content.files,
            executable=content.executable,
            references=references,
            removed=removed,
        )
