"""Log a version: first its bytes, then its events.

An event never names a blob that is not yet stored, so everything is published, durably, before the first event about
it is sent. The other way round a crash in between would leave a version that cannot be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from headwater_schemas import digests
from headwater_schemas.entries import FileEntries, Place, Reference
from headwater_schemas.events import DraftOpened, Event, VersionCommitted, own_draft

from headwater_producer.batches import file_events, reference_events, removal_events
from headwater_producer.intake import Intake
from headwater_producer.producer import Producer, Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitVersion:
    """The command: make a version of `collection` with this content, or recognise the one that has it already."""

    collection: str  # "entity/project/name"
    type: str
    base: int | None  # the version that the rest is the difference from; None: the rest is everything
    files: Mapping[str, tuple[bytes, int]]  # path → digest (stored form) and size in bytes
    references: Sequence[Reference] = ()
    removed: Sequence[str] = ()
    description: str | None = None
    metadata: str | None = None  # canonical JSON
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    run: str | None = None
    ttl_seconds: int | None = None
    expected_digest: str | None = None
    message: str | None = None

    @property
    def project(self) -> str:
        """ "entity/project", whose content this is."""
        return self.collection.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class SentCommit:
    """A commit on its way."""

    collection: str
    draft: str
    events: Sequence[Sent]  # in order; the outcome of the last decides
    places: Mapping[bytes, Place]  # of the content that it names


def send_commit(command: CommitVersion, intake: Intake, producer: Producer) -> SentCommit:
    """Publish the bytes, then send the events. The caller confirms, so that several commits share one append.

    Raises: as `Intake.places` and `Producer.send`; nothing of the command is sent then.
    """
    places = intake.places(command.project, [digest for digest, _ in command.files.values()])
    draft = own_draft(uuid4().hex)
    sent = producer.send(list(_events(command, draft, places)), message=command.message)
    return SentCommit(command.collection, draft, sent, places)


def _events(command: CommitVersion, draft: str, places: Mapping[bytes, Place]) -> list[Event]:
    name = command.collection
    events: list[Event] = [DraftOpened(collection=name, draft=draft, type=command.type, base=command.base)]
    for files in _columns(command.files, places):
        events.extend(file_events(name, draft, files))
    events.extend(reference_events(name, draft, command.references))
    events.extend(removal_events(name, draft, command.removed))
    commit = VersionCommitted(
        collection=name,
        draft=draft,
        description=command.description,
        metadata=command.metadata,
        aliases=command.aliases,
        tags=command.tags,
        run=command.run,
        ttl_seconds=command.ttl_seconds,
        expected_digest=command.expected_digest,
    )
    return [*events, commit]


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
