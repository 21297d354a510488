"""Hypothesis strategies for everything that the contract defines: names, paths, entries, every event type.

What they draw is valid, and reaches for the edges of what is valid. Texts that name things are short: a collision
between two draws is more telling than variety.
"""

from datetime import UTC, datetime
from typing import Any

from headwater_schemas import digests, metadata
from headwater_schemas import events as types
from headwater_schemas.entries import FileEntries, FileRow, Reference
from headwater_schemas.events import Event, Origin, Stamped
from headwater_schemas.frozen_unicode import is_printable
from headwater_schemas.limits import EPOCHS_MAX, OFFSETS_MAX, PARTITIONS_MAX, SEGMENT_BYTES_MAX, SESSION_DIGITS
from headwater_schemas.names import check_alias
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.entries import of_rows

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1

_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_ALGORITHMS = (digests.XXH3, digests.BLAKE3)


def texts(*, max_size: int = 20) -> SearchStrategy[str]:
    """Any text that UTF-8 can hold."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=max_size)


def names() -> SearchStrategy[str]:
    """What can name an entity, a project, a collection or a run."""
    return st.text(_NAME_CHARACTERS, min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))


def project_names() -> SearchStrategy[str]:
    """`entity/project`"""
    return st.builds("/".join, st.tuples(names(), names()))


def collection_names() -> SearchStrategy[str]:
    """`entity/project/name`"""
    return st.builds("/".join, st.tuples(names(), names(), names()))


def run_names() -> SearchStrategy[str]:
    """`entity/project/ID`"""
    return collection_names()


def printable_texts(*, max_size: int = 12) -> SearchStrategy[str]:
    """Printable, not empty, no white space at the ends: types and distributed ids."""
    characters = st.characters(exclude_categories=["C", "Z"])
    return st.text(characters | st.just(" "), min_size=1, max_size=max_size).filter(
        lambda text: is_printable(text) and text == text.strip(" ")
    )


def aliases() -> SearchStrategy[str]:
    """Aliases and tags."""
    return printable_texts().map(lambda text: text.replace("/", "_").replace(":", "_")).filter(_is_alias)


def drafts() -> SearchStrategy[str]:
    """The id of an own or a shared draft."""
    own = st.uuids().map(lambda identity: types.own_draft(identity.hex))
    return own | printable_texts().map(types.shared_draft)


def versions() -> SearchStrategy[int]:
    """Version numbers."""
    return st.integers(0, 20) | st.integers(0, INT64_MAX)


def path_segments() -> SearchStrategy[str]:
    """One name in a path."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters=_characters_that_paths_lack())
    unusual = st.text(characters, min_size=1, max_size=12)
    usual = st.text("ab.", min_size=1, max_size=3)
    longest = st.integers(SEGMENT_BYTES_MAX // 4 - 1, SEGMENT_BYTES_MAX).map("x".__mul__)
    return (usual | unusual | longest).filter(lambda segment: segment not in (".", ".."))


def paths() -> SearchStrategy[str]:
    """Paths inside a version, in normal form."""
    return st.lists(path_segments(), min_size=1, max_size=5).map("/".join)


def packed_digests(algorithm: str) -> SearchStrategy[bytes]:
    """Digests in their stored form."""
    width = digests.DIGEST_BYTES[algorithm]
    return st.binary(min_size=width, max_size=width).map(lambda raw: digests.pack(algorithm, raw))


def sizes() -> SearchStrategy[int]:
    """Sizes and offsets in bytes."""
    return st.integers(0, 5000) | st.integers(0, INT64_MAX)


@st.composite
def file_rows(draw: st.DrawFn, algorithm: str, max_size: int = 6) -> list[FileRow]:
    """Files with distinct paths."""
    chosen = draw(st.lists(paths(), max_size=max_size, unique=True))
    object_names = st.sampled_from(["pack-1", "pack-2", "file-3"])
    row = st.tuples(packed_digests(algorithm), sizes(), object_names, sizes(), st.booleans())
    return [FileRow(path, *draw(row)) for path in chosen]


@st.composite
def file_entries(draw: st.DrawFn, max_size: int = 6) -> FileEntries:
    """A batch of files, of either digest algorithm."""
    algorithm = draw(st.sampled_from(_ALGORITHMS))
    return of_rows(draw(file_rows(algorithm, max_size)), algorithm)


def references() -> SearchStrategy[Reference]:
    """Entries whose bytes are elsewhere."""
    return st.builds(
        Reference,
        path=paths(),
        uri=texts(),
        checksum=st.none() | texts(),
        size=st.none() | sizes(),
        object_version=st.none() | texts(),
    )


def json_values() -> SearchStrategy[Any]:
    """What metadata can hold under a key."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts()
    return st.recursive(leaves, lambda below: st.lists(below, max_size=3) | _objects_of(below), max_leaves=8)


def json_objects() -> SearchStrategy[dict[str, Any]]:
    """Metadata, config and settings."""
    return _objects_of(json_values())


def canonical_json() -> SearchStrategy[str]:
    """Metadata as events carry it."""
    return json_objects().map(metadata.encode)


def sessions() -> SearchStrategy[str]:
    """Session ids."""
    return st.binary(min_size=SESSION_DIGITS // 2, max_size=SESSION_DIGITS // 2).map(bytes.hex)


def clocks() -> SearchStrategy[datetime]:
    """A writer's clock: any time in UTC, to the microsecond."""
    return st.datetimes(timezones=st.just(UTC))


def origins() -> SearchStrategy[Origin]:
    """Who wrote an event."""
    return st.builds(
        Origin,
        session=sessions(),
        sequence=st.integers(0, INT64_MAX),
        clock=clocks(),
        author=texts(),
        message=st.none() | texts(),
    )


def stamped(*event_types: type[Event]) -> SearchStrategy[Stamped]:
    """Events as they stand on the log."""
    return st.builds(Stamped, origins(), events(*event_types))


def events(*event_types: type[Event]) -> SearchStrategy[Event]:
    """Events of these types; of every type where none is named."""
    return st.one_of([EVENTS[event_type] for event_type in event_types or types.EVENT_TYPES])


def _objects_of(values: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    return st.dictionaries(texts(max_size=6), values, max_size=4)


def _is_alias(text: str) -> bool:
    try:
        return check_alias(text) == text
    except ValueError:
        return False


def _characters_that_paths_lack() -> str:
    return "/" + "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))


def _several(items: SearchStrategy[Any]) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=4).map(tuple)


def _optional(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.none() | values


_IN_COLLECTION = {"collection": collection_names()}
_IN_DRAFT = {**_IN_COLLECTION, "draft": drafts()}
_BY_WRITER = {**_IN_DRAFT, "writer": _optional(run_names())}
_IN_VERSION = {**_IN_COLLECTION, "version": versions()}
_IN_RUN = {"run": run_names()}
_IN_PROJECT = {"project": project_names()}
_BROADCAST = {"broadcast": st.uuids().map(lambda identity: identity.hex)}
_IN_SCOPE = {"scope": project_names() | names()}

EVENTS: dict[type[Event], SearchStrategy[Any]] = {
    types.DraftOpened: st.builds(types.DraftOpened, **_IN_DRAFT, type=printable_texts(), base=_optional(versions())),
    types.EntryAdded: st.builds(
        types.EntryAdded, **_BY_WRITER, files=file_entries(), references=_several(references())
    ),
    types.EntryRemoved: st.builds(types.EntryRemoved, **_BY_WRITER, paths=_several(paths()), folders=_several(paths())),
    types.WriterDone: st.builds(types.WriterDone, **_BY_WRITER),
    types.VersionCommitted: st.builds(
        types.VersionCommitted,
        **_IN_DRAFT,
        description=_optional(texts()),
        metadata=_optional(canonical_json()),
        aliases=_several(aliases()),
        tags=_several(aliases()),
        run=_optional(run_names()),
        ttl_seconds=_optional(st.integers(0, INT64_MAX)),
        expected_digest=_optional(st.binary(min_size=32, max_size=32).map(bytes.hex)),
        writers=_optional(st.integers(1, INT32_MAX)),
        expect_latest=_optional(st.builds(types.ExpectedVersion, _optional(versions()))),
        rights=_optional(_several(texts())),
        transaction=_optional(st.builds(types.Transaction, texts(), st.integers(1, INT32_MAX))),
        imported=_optional(st.builds(types.Imported, texts(), texts(), texts(), clocks())),
    ),
    types.DraftDiscarded: st.builds(types.DraftDiscarded, **_IN_DRAFT, last_event=_optional(texts())),
    types.AliasMoved: st.builds(
        types.AliasMoved,
        **_IN_COLLECTION,
        alias=aliases(),
        version=_optional(versions()),
        expected=_optional(st.builds(types.ExpectedVersion, _optional(versions()))),
    ),
    types.ArtifactUsed: st.builds(
        types.ArtifactUsed, **_IN_VERSION, run=run_names(), requested=texts(), use_as=st.none() | texts()
    ),
    types.VersionDescribed: st.builds(
        types.VersionDescribed,
        **_IN_VERSION,
        description=_optional(texts()),
        metadata=_optional(canonical_json()),
        metadata_patch=_optional(canonical_json()),
        tags_added=_several(aliases()),
        tags_removed=_several(aliases()),
        ttl_seconds=_optional(st.integers(0, INT64_MAX)),
    ),
    types.VersionDeleted: st.builds(
        types.VersionDeleted,
        **_IN_VERSION,
        delete_aliases=st.booleans(),
        decided_on=_optional(
            st.builds(
                types.DecidedOn,
                aliases=_several(aliases()),
                times_restored=st.integers(0, INT64_MAX),
                unused=st.booleans(),
                ttl_seconds=_optional(st.integers(0, INT64_MAX)),
                newer=_optional(st.integers(0, INT64_MAX)),
            )
        ),
    ),
    types.VersionRestored: st.builds(types.VersionRestored, **_IN_VERSION),
    types.VersionPurged: st.builds(
        types.VersionPurged,
        **_IN_VERSION,
        epoch=st.integers(0, EPOCHS_MAX - 1),
        partition=st.integers(0, PARTITIONS_MAX - 1),
        offset=st.integers(0, OFFSETS_MAX - 1),
    ),
    types.VersionRecalled: st.builds(types.VersionRecalled, **_IN_VERSION, reason=texts()),
    types.RunStarted: st.builds(
        types.RunStarted,
        **_IN_RUN,
        job_type=_optional(printable_texts()),
        group=_optional(printable_texts()),
        display_name=_optional(printable_texts()),
        config=canonical_json(),
        tags=_several(aliases()),
        heartbeat_seconds=_optional(st.integers(1, INT64_MAX)),
    ),
    types.RunUpdated: st.builds(
        types.RunUpdated,
        **_IN_RUN,
        config_set=_optional(canonical_json()),
        config_removed=_several(texts()),
        summary_set=_optional(canonical_json()),
        summary_removed=_several(texts()),
        capture=_optional(
            st.builds(
                types.Capture,
                *(_optional(texts()) for _ in range(4)),
                _optional(canonical_json()),
            )
        ),
    ),
    types.RunHeartbeat: st.builds(types.RunHeartbeat, **_IN_RUN, heartbeat_seconds=st.integers(1, INT64_MAX)),
    types.RunFinished: st.builds(types.RunFinished, **_IN_RUN, state=st.sampled_from(types.RUN_STATES_FINAL)),
    types.BlobsCondemned: st.builds(types.BlobsCondemned, **_BROADCAST, **_IN_PROJECT, objects=_several(texts())),
    types.BlobsMoved: st.builds(
        types.BlobsMoved,
        **_IN_PROJECT,
        moves=_several(st.builds(types.Move, texts(), sizes(), sizes(), texts(), sizes())),
    ),
    types.DeadLetterResolved: st.builds(
        types.DeadLetterResolved,
        key=texts(),
        epoch=st.integers(0, EPOCHS_MAX - 1),
        partition=st.integers(0, PARTITIONS_MAX - 1),
        offset=st.integers(0, OFFSETS_MAX - 1),
        decision=st.sampled_from(types.DEAD_LETTER_DECISIONS),
    ),
    types.SessionsRetired: st.builds(types.SessionsRetired, **_BROADCAST, before_ms=st.integers(0, INT64_MAX)),
    types.RulesChanged: st.builds(
        types.RulesChanged, **_BROADCAST, **_IN_PROJECT, rule=texts(), value=canonical_json()
    ),
    types.AccessGranted: st.builds(types.AccessGranted, **_IN_SCOPE, principal=texts(), role=texts()),
    types.AccessRevoked: st.builds(types.AccessRevoked, **_IN_SCOPE, principal=texts()),
    types.TokenCreated: st.builds(
        types.TokenCreated,
        **_IN_SCOPE,
        token=texts(),
        principal=texts(),
        expires_ms=st.none() | st.integers(-INT64_MAX, INT64_MAX),
    ),
    types.TokenRevoked: st.builds(types.TokenRevoked, **_IN_SCOPE, token=texts()),
    types.SettingsChanged: st.builds(types.SettingsChanged, **_IN_PROJECT, settings=canonical_json()),
    types.SubscriptionAdded: st.builds(
        types.SubscriptionAdded, **_IN_SCOPE, subscription=texts(), settings=canonical_json()
    ),
    types.SubscriptionRemoved: st.builds(types.SubscriptionRemoved, **_IN_SCOPE, subscription=texts()),
}
