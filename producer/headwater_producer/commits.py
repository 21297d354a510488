"""Log a version: first its content, then its events.

An event never names a blob that is not stored, so all content is published, durably, or confirmed by the store, before
the first event about it is sent. In the other order, a crash in between would leave a version that cannot be read.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from headwater_schemas import digests
from headwater_schemas.entries import (
    BlobLocation,
    BlobLocations,
    FileDigest,
    FileEntries,
    FilesByPath,
    Reference,
)
from headwater_schemas.errors import BlobMissing
from headwater_schemas.events import DraftOpened, Event, ExpectedVersion, Imported, VersionCommitted
from headwater_schemas.names import CollectionName

from headwater_producer.batches import file_events, move_events, reference_events, removal_events
from headwater_producer.producer import Producer, SentEvent
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import ContentMissing

Restore = Callable[[Collection[bytes]], None]  # ingest what can be had of these contents from where they came from


def nothing_to_restore(missing: Collection[bytes]) -> None:
    """Of a writer who has only what it ingested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsert:
    """The command to add entries to a draft of `collection`, and to remove others from it."""

    collection: str  # "entity/project/name"
    type: str
    base: int | None  # the version that the entries are a difference from; None: they are the whole content
    files: Mapping[str, FileDigest]  # by path; `FilesByPath` where they are many
    executable: AbstractSet[str] = frozenset()  # those of `files` that are; it may name others, too
    references: Sequence[Reference] = ()
    removed: Sequence[str] = ()
    message: str | None = None

    @property
    def project(self) -> str:
        """ "entity/project", which owns the content."""
        return CollectionName.parse(self.collection).namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitVersion(Upsert):
    """The command to make a version of `collection` with this content, or to reuse the one that has it already."""

    description: str | None = None
    metadata: str | None = None  # canonical JSON
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    run: str | None = None
    ttl_seconds: int | None = None
    expected_digest: str | None = None
    expect_latest: ExpectedVersion | None = None  # commit only if `latest` is this version
    writers: int | None = None  # of a shared draft: how many to wait for
    rights: tuple[str, ...] | None = None  # what may change about an existing version, see `VersionCommitted`
    imported: Imported | None = None  # where it was committed first


@dataclass(frozen=True, slots=True)
class SentCommit:
    """A commit, or a part of one, that was sent and is not confirmed yet."""

    collection: str
    draft: str
    events: Sequence[SentEvent]  # in order; the outcome of the last one decides
    locations: Mapping[bytes, BlobLocation]  # of its content and of what it healed, by digest


def send_commit(
    command: CommitVersion, stager: BlobStager, producer: Producer, *, restore: Restore = nothing_to_restore
) -> SentCommit:
    """Publish the content, then send the events. The caller confirms, so that several commits share one append.

    Content that was found lost, and is in hand or stored elsewhere in the project, is stored anew. What was stored when
    it was added, and is not any more, is asked of `restore`, once for all of it. Raises: BlobMissing, which names the
    path; as `BlobStager.publish` and `Producer.send`. Then no event is sent.
    """
    draft = producer.new_draft()
    locations = _publish(command, stager, restore)
    return _send(command, draft, None, [commit_event(command, draft)], locations, stager, producer)


def send_entries(
    command: Upsert,
    stager: BlobStager,
    producer: Producer,
    *,
    draft: str,
    writer: str,
    restore: Restore = nothing_to_restore,
) -> SentCommit:
    """Publish the content, then send the entries that `writer` adds to a shared draft.

    The caller commits, or reports the writer as done, only once these events have been accepted: a draft of which a
    part was refused must not be sealed as if it were whole. Raises: as `send_commit`.
    """
    return _send(command, draft, writer, [], _publish(command, stager, restore), stager, producer)


def commit_event(command: CommitVersion, draft: str) -> VersionCommitted:
    """The event that seals `draft`."""
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
        expect_latest=command.expect_latest,
        writers=command.writers,
        rights=command.rights,
        imported=command.imported,
    )


def _publish(command: Upsert, stager: BlobStager, restore: Restore) -> BlobLocations:
    """Raises: BlobMissing, which names the path."""
    wanted = FilesByPath.of(command.files).digests.values()
    try:
        return stager.publish(command.project, wanted)
    except ContentMissing:
        missing = stager.find_lost(command.project, wanted)
        restore(missing)
        stager.rescue(command.project, stager.find_lost(command.project, missing))
    try:
        return stager.publish(command.project, wanted)
    except ContentMissing as missing:
        path = next(path for path, (digest, _) in command.files.items() if digest == missing.digest)
        raise BlobMissing(f"{path!r} cannot be logged to {command.collection}: {missing}") from missing


def _send(
    command: Upsert,
    draft: str,
    writer: str | None,
    then: Sequence[Event],
    locations: BlobLocations,
    stager: BlobStager,
    producer: Producer,
) -> SentCommit:
    healed, moves = stager.heal(command.project)
    events = [*move_events(command.project, moves), *_content_events(command, draft, writer, locations), *then]
    sent = producer.send(events, message=command.message)
    locations.update({digest: place for digest, place in healed.items() if digest not in locations})
    return SentCommit(command.collection, draft, sent, locations)


def _content_events(command: Upsert, draft: str, writer: str | None, locations: BlobLocations) -> Iterator[Event]:
    name = command.collection
    yield DraftOpened(collection=name, draft=draft, type=command.type, base=command.base)
    yield from removal_events(name, draft, command.removed, writer=writer)
    for files in _columns(command, locations):
        yield from file_events(name, draft, files, writer=writer)
    yield from reference_events(name, draft, command.references, writer=writer)


def _columns(command: Upsert, locations: BlobLocations) -> list[FileEntries]:
    """The files of a commit in columns, one batch for each digest algorithm that occurs."""
    files = FilesByPath.of(command.files)
    codes = dict.fromkeys(digest[0] for digest in files.digests.values())
    parts = [files] if len(codes) == 1 else [_of_code(files, code) for code in codes]
    return [_batch(part, command.executable, locations) for part in parts]


def _of_code(files: FilesByPath, code: int) -> FilesByPath:
    return files.part([path for path, digest in files.digests.items() if digest[0] == code])


def _batch(files: FilesByPath, marked: AbstractSet[str], locations: BlobLocations) -> FileEntries:
    packed, sizes = list(files.digests.values()), files.sizes.values()
    names = [locations.object_names[digest] for digest in packed]
    offsets = [locations.ranges.offsets[digest] for digest in packed]
    executable = [row for row, path in enumerate(files) if path in marked] if marked else ()
    return FileEntries.of_columns(digests.algorithm_of(packed[0]), files, packed, sizes, names, offsets, executable)
