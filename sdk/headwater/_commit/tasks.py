"""What can be logged: plain events, and a version with its bytes. Shared drafts are in `shared_drafts`."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_consumer import queries
from headwater_producer.commits import CommitVersion, SentCommit, Upsert, send_commit
from headwater_producer.producer import SentEvent
from headwater_producer.stager import BlobStager
from headwater_schemas.errors import EventRejected, FileChanged, Reason, StoreUnavailable
from headwater_schemas.events import Event
from headwater_schemas.names import LATEST

from headwater._commit.write_queue import Logger, Task
from headwater._content.content import Content, Difference, identity
from headwater._progress import bytes_text, tell

if TYPE_CHECKING:
    from headwater._commit.client import Client

SMALL_LISTING = 64  # entries that are sent again sooner than a difference is looked for
# What may have happened to the base while the draft was on its way; without a base the commit goes through.
_BASE_IS_GONE = (Reason.BASE_UNKNOWN, Reason.DRAFT_UNKNOWN)


class EventsTask(Task[None]):
    """Events that need nothing else."""

    def __init__(self, logger: Logger, events: Sequence[Event], *, judged: bool, moves_names: bool) -> None:
        super().__init__(logger)
        self.judged = judged
        self.moves_names = moves_names
        self._events = events
        self._sent: Sequence[SentEvent] = ()

    def send(self, client: "Client") -> None:
        self._sent = client.producer.send(self._events)

    def settle(self, client: "Client") -> bool:
        if self.judged:
            client.raise_rejection(self._sent)
        self.succeed(None)
        return True


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit became."""

    version: int
    recognised: bool  # the content was there before, as this version


C = TypeVar("C", bound=Upsert)


class ContentTask(Task[Committed | None], Generic[C]):
    """Bytes first, then the events that name them."""

    moves_names = True

    def __init__(
        self, logger: Logger, command: C, content: Content, stager: BlobStager, deferred: Mapping[str, str]
    ) -> None:
        """`command` has everything but the entries. `deferred` are files that are read now, by path in the version."""
        super().__init__(logger)
        self._command = command
        self._content = content
        self._stager = stager
        self._deferred = deferred
        self._sent: SentCommit | None = None
        self._new_bytes = 0

    @property
    def draft(self) -> tuple[str, str] | None:
        return None if self._sent is None else (self._sent.collection, self._sent.draft)

    def send(self, client: "Client") -> None:
        ingest_deferred_files(self._stager, self._content, self._deferred)
        command = self._plan(client)
        before = self._stager.published_bytes
        self._sent = self._hand_over(client, command)
        self._new_bytes += self._stager.published_bytes - before

    @abstractmethod
    def _plan(self, client: "Client") -> C:
        """The command with the entries that must be sent."""

    @abstractmethod
    def _hand_over(self, client: "Client", command: C) -> SentCommit:
        """Publish and send it."""

    def _waits(self) -> StoreUnavailable:
        """The error where there is neither an outcome nor a rejection."""
        return StoreUnavailable(
            f"{self._command.collection} waits behind an event that cannot be decoded. What was logged is safe, and "
            "counts once that is resolved; `headwater doctor` says more."
        )

    def _everything(self) -> C:
        """All that was put, over the base where there is one."""
        content = self._content
        base = None if content.base is None else content.base.version
        references, removed = list(content.references.values()), content.removed
        return replace(self._command, base=base, files=content.files, references=references, removed=removed)


class CommitTask(ContentTask[CommitVersion]):
    """A version that one writer makes."""

    def __init__(
        self,
        logger: Logger,
        command: CommitVersion,
        content: Content,
        stager: BlobStager,
        deferred: Mapping[str, str],
        *,
        taken_over: Collection[str] = (),
    ) -> None:
        """`taken_over` are those of the command's fields that a new version has, and content that is there keeps."""
        super().__init__(logger, command, content, stager, deferred)
        self._taken_over = taken_over
        self._difference: Difference | None = None
        self._with_base = True

    @property
    def alone(self) -> bool:  # type: ignore[override]
        """Only what earlier tasks became shows what a large one must send."""
        return len(self._content.files) > SMALL_LISTING

    def settle(self, client: "Client") -> bool:
        assert self._sent is not None
        outcome = client.outcome_of(self._sent.collection, self._sent.draft)
        if outcome is None or outcome.version is None:
            return self._refused(client)
        self._stager.forget(self._sent.locations)
        committed = Committed(outcome.version, outcome.recognised)
        if not client.quiet:
            self._tell(committed)
        self.succeed(committed)
        return True

    def _refused(self, client: "Client") -> bool:
        assert self._sent is not None
        try:
            client.raise_rejection(self._sent.events)
        except EventRejected as rejected:
            if self._with_base and self._content.base is None and rejected.reason in _BASE_IS_GONE:
                self._with_base = False
                self.send(client)
                return False
            raise
        raise self._waits()

    def _hand_over(self, client: "Client", command: CommitVersion) -> SentCommit:
        return send_commit(command, self._stager, client.producer)

    def _plan(self, client: "Client") -> CommitVersion:
        """Say only what differs from the version that is nearest: one of the same content, the draft's own base, else
        the latest."""
        database, digest = client.stores.database, self._command.expected_digest or ""
        same = queries.version_with_digest(database, self._command.collection, digest)
        if not self._with_base:
            return self._everything()
        if same is not None:
            self._difference = Difference(digest, (), ())
            not_given: dict[str, Any] = dict.fromkeys(self._taken_over)
            return replace(self._command, base=same, files={}, **not_given)
        content = self._content
        if content.base is not None:
            self._difference = Difference(content.base.digest, [*content.files, *content.references], content.removed)
            return self._everything()
        latest = queries.resolve_version(database, self._command.collection, LATEST)
        info = None if latest is None else queries.version_info(database, self._command.collection, latest)
        return self._everything() if info is None else self._over(client, info)

    def _over(self, client: "Client", base: "queries.VersionInfo") -> CommitVersion:
        """The difference from `base`, or everything where that is less."""
        self._difference = self._difference_from(client, base)
        changed, removed = self._difference.changed, self._difference.removed
        if len(changed) + len(removed) >= self._content.count:
            return self._everything()
        files, references = self._content.files, self._content.references
        return replace(
            self._command,
            base=base.version,
            files={path: files[path] for path in changed if path in files},
            references=[references[path] for path in changed if path in references],
            removed=removed,
        )

    def _difference_from(self, client: "Client", base: "queries.VersionInfo") -> Difference:
        known = self._content.known_difference
        if known is not None and known.digest == base.digest:
            return known
        changed, removed = {path: held[0] for path, held in self._content.files.items()}, []
        changed |= {path: identity(reference) for path, reference in self._content.references.items()}
        for paths, identities in queries.listing(client.stores.database, base.layers):
            for path, was in zip(paths, identities, strict=True):
                now = changed.get(path)
                if now is None:
                    removed.append(path)
                elif now == was:
                    del changed[path]
        return Difference(base.digest, list(changed), removed)

    def _tell(self, committed: Committed) -> None:
        name = self._command.collection.rpartition("/")[2]
        version = f"v{committed.version}"
        if committed.recognised:
            tell(f"{name}: content is that of {version}: no new version, latest → {version}")
            return
        total = self._content.count
        new = total if self._difference is None else len(self._difference.changed)
        gone = len(self._difference.removed) if self._difference is not None else 0
        removed = f", {gone:,} removed" if gone else ""
        files = "file" if total == 1 else "files"
        tell(f"{name}: {version}, {new:,} of {total:,} {files} new{removed}, {bytes_text(self._new_bytes)} stored")


def ingest_deferred_files(stager: BlobStager, content: Content, deferred: Mapping[str, str]) -> None:
    """Read what was added with `policy="immutable"`: by now it must still be what it was."""
    for path, location in deferred.items():
        digest, size = content.files[path]
        if not stager.missing([digest]):
            continue
        try:
            with open(location, "rb", buffering=0) as source:
                found = stager.ingest_file(source)
        except OSError as error:
            raise FileChanged(
                f"{location!r} was added as immutable but cannot be read any more: {error.strerror}. "
                "Restore it, or add it with policy='mutable'."
            ) from error
        if found != (digest, size):
            raise FileChanged(
                f"{location!r} was added as immutable but changed since (it had {size:,} bytes, now {found[1]:,}). "
                "Add it again, or with policy='mutable'."
            )


def is_large(size: int) -> bool:
    """Whether a file is an object of its own, rather than part of a pack."""
    return size > PACKED_FILE_BYTES_MAX
