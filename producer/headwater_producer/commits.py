"""Log a version: first its bytes, then its events.

An event never names a blob that is not yet stored, so everything is published, durably, before the first event about
it is sent. The other way round a crash in between would leave a version that cannot be read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from headwater_schemas import digests
from headwater_schemas.entries import FileEntries, Place, Reference
from headwater_schemas.events import DraftOpened, Event, VersionCommitted, own_draft

from headwater_producer.batches import file_events, reference_events, removal_events
from headwater_producer.intake import Intake
from headwater_producer.producer import Producer, Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsert:
    """The command: add to a draft of `collection`, and take out of it."""

    collection: str  # "entity/project/name"
    type: str
    base: int | None  # the version that the rest is the difference from; None: the rest is everything
    files: Mapping[str, tuple[bytes, int]]  # path → digest (stored form) and size in bytes
    references: Sequence[Reference] = ()
    removed: Sequence[str] = ()
    message: str | None = None

    @property
    def project(self) -> str:
        """ "entity/project", whose content this is."""
        return self.collection.rpartition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitVersion(Upsert):
    """The command: make a version of `collection` with this content, or recognise the one that has it already."""

    description: str | None = None
    metadata: str | None = None  # canonical JSON
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    run: str | None = None
    ttl_seconds: int | None = None
    expected_digest: str | None = None
    writers: int | None = None  # of a shared draft: how many to wait for


@dataclass(frozen=True, slots=True)
class SentCommit:
    """A commit, or a part of one, on its way."""

    collection: str
    draft: str
    events: Sequence[Sent]  # in order; the outcome of the last decides
    places: Mapping[bytes, Place]  # of the content that it names


def send_commit(command: CommitVersion, intake: Intake, producer: Producer) -> SentCommit:
    """Publish the bytes, then send the events. The caller confirms, so that several commits share one append.

    Raises: as `Intake.places` and `Producer.send`; nothing of the command is sent then.
    """
    draft = own_draft(uuid4().hex)
    return _send(command, draft, None, [commit_event(command, draft)], intake, producer)


def send_entries(command: Upsert, intake: Intake, producer: Producer, *, draft: str, writer: str) -> SentCommit:
    """Publish the bytes, then send what `writer` adds to a shared draft. It is the caller's to say that it is done, or
    to commit, once this counts: a draft of which a part was refused must not be sealed as if it were whole.

    Raises: as `send_commit`.
    """
    return _send(command, draft, writer, [], intake, producer)


def commit_event(command: CommitVersion, draft: str) -> VersionCommitted:
    """What seals `draft` as the command says."""
    return VersionCommitted(
        collection=command.collection,
        draft=draft,
        description=command.description,
        metadata=command.metadata,
        aliases=command.aliases,
        tags=command.tags,
        run=command.run,
        ttl_seconds=command.ttl_seconds,
        expected_digest=command.expected_digest,
        writers=command.writers,
    )


def _send(
    command: Upsert, draft: str, writer: str | None, then: Sequence[Event], intake: Intake, producer: Producer
) -> SentCommit:
    places = intake.places(command.project, [digest for digest, _ in command.files.values()])
    events = [*_content_events(command, draft, writer, places), *then]
    return SentCommit(command.collection, draft, producer.send(events, message=command.message), places)


def _content_events(command: Upsert, draft: str, writer: str | None, places: Mapping[bytes, Place]) -> Iterator[Event]:
    name = command.collection
    yield DraftOpened(collection=name, draft=draft, type=command.type, base=command.base)
    yield from removal_events(name, draft, command.removed, writer=writer)
    for files in _columns(command.files, places):
        yield from file_events(name, draft, files, writer=writer)
    yield from reference_events(name, draft, command.references, writer=writer)


def _columns(files: Mapping[str, tuple[bytes, int]], places: Mapping[bytes, Place]) -> list[FileEntries]:
    """The files of a commit in columns, one batch for each digest algorithm that occurs."""
    by_algorithm: dict[str, list[str]] = {}
    if len({digest[0] for digest, _ in files.values()}) == 1:
        by_algorithm[digests.algorithm_of(next(iter(files.values()))[0])] = list(files)
    else:
        for path, (digest, _) in files.items():
            by_algorithm.setdefault(digests.algorithm_of(digest), []).append(path)
    return [_batch(algorithm, paths, files, places) for algorithm, paths in by_algorithm.items()]


def _batch(
    algorithm: str, paths: Sequence[str], files: Mapping[str, tuple[bytes, int]], places: Mapping[bytes, Place]
) -> FileEntries:
    packed = [files[path][0] for path in paths]
    sizes = [files[path][1] for path in paths]
    where = [places[digest] for digest in packed]
    names = [place.object_name for place in where]
    offsets = [place.offset for place in where]
    return FileEntries.of_columns(algorithm, paths, packed, sizes, names, offsets)
