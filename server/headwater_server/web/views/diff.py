"""What differs between two versions of a collection: files, sizes, metadata and descriptions."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from headwater_blobs.port import ContentReads
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import EntryContent, EntryDifference, EntryInfo, VersionInfo
from headwater_consumer.queries.differences import differences_within
from headwater_schemas import digests, paths
from headwater_schemas.frozen_unicode import quoted

from headwater_server.http.problems import not_found
from headwater_server.resources.naming import live_version
from headwater_server.resources.paging import cursor_key, cursor_text
from headwater_server.web.previews.contents import Contents
from headwater_server.web.previews.lines import NO_CONTENT, LinesBetween, lines_between
from headwater_server.web.views.json_values import KEYS_MAX, Value, flat, value_of

PAGE = 100
COUNTED_MAX = 5000  # differences
COMPARE_S_MAX = 0.15  # then the page shows what was found, and goes on from there
VERSIONS_OFFERED = 100
SHOWN_MAX = 200  # characters of a path, in an answer
_LIST = "diff"

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class Content:
    """What one version has at a path."""

    size_bytes: int | None
    digest: str | None
    uri: str | None
    executable: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A path at which they differ."""

    path: str
    change: str  # ADDED, REMOVED or CHANGED
    before: Content | None
    after: Content | None
    grown_bytes: int | None  # None: a size is not known


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A key of the metadata whose value differs."""

    key: str
    change: str
    before: Value | None
    after: Value | None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two versions."""

    version: int
    asked_as: str
    files: int
    size_bytes: int
    created_us: int
    author: str
    description: str | None
    digest: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many paths differ, from the beginning of this page on."""

    added: int
    removed: int
    changed: int
    grown_bytes: int
    is_complete: bool  # if not, there are more


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines that differ at one path."""

    path: str
    lines: LinesBetween


@dataclass(frozen=True, slots=True)
class Diff:
    """The differences."""

    collection: str
    project: str
    name: str
    before: Side
    after: Side
    counts: Counts
    differences: Sequence[Difference]
    reached: str | None  # everything up to this path is looked at; None: all is
    is_first: bool
    next: str | None
    metadata: Sequence[ValueDifference]  # the first KEYS_MAX
    metadata_more: int
    versions: Sequence[int]  # that may be chosen instead, the newest
    at: Lines | None = None  # where one path was asked for


def diff(database: Database, *, collection: str, before: str | None, after: str | None, cursor: str | None) -> Diff:
    """From one version of a collection that may be read to another: to the newest, from the one before, unless given.

    Cost: the paths of the layers that they do not share, as far as they are compared in COMPARE_S_MAX.
    """
    versions = [one.version for one in queries.version_infos(database, collection, limit=VERSIONS_OFFERED)]
    if not versions:
        raise not_found(collection)
    new = live_version(database, collection, after or f"v{versions[0]}")
    old = live_version(database, collection, before or f"v{_before(database, new)}")
    beyond = None if cursor is None else cursor_key(_LIST, cursor, str)[0]
    found = differences_within(
        database, old.layers, new.layers, after=beyond, limit=COUNTED_MAX, seconds_max=COMPARE_S_MAX
    )
    shown = [_difference(one) for one in found.found[:PAGE]]
    reached = shown[-1].path if len(found.found) > PAGE else found.reached
    metadata = list(_of_metadata(old.metadata, new.metadata))
    return Diff(
        collection=collection,
        project=collection.rpartition("/")[0],
        name=collection.rpartition("/")[2],
        before=_side(old, before),
        after=_side(new, after),
        counts=_counts(found.found, is_complete=found.reached is None),
        differences=shown,
        reached=reached,
        is_first=cursor is None,
        next=None if reached is None else cursor_text(_LIST, reached),
        metadata=metadata[:KEYS_MAX],
        metadata_more=max(0, len(metadata) - KEYS_MAX),
        versions=versions,
    )


def entries_at(database: Database, shown: Diff, path: str) -> tuple[EntryInfo | None, EntryInfo | None]:
    """What the two versions have at a path. Raises: Problem where neither has anything."""
    wanted = paths.normalize(path)
    sides = (live_version(database, shown.collection, f"v{side.version}") for side in (shown.before, shown.after))
    before, after = (queries.entry(database, info.layers, wanted) for info in sides)
    if before is None and after is None:
        raise not_found(f"{quoted(path, SHOWN_MAX)} in these versions of {shown.collection}")
    return before, after


def with_lines(shown: Diff, path: str, blobs: ContentReads, before: EntryInfo | None, after: EntryInfo | None) -> Diff:
    """The same with the lines that differ at a path. Reads both contents."""
    sides = [None if one is None or one.digest is None else Contents(blobs, one) for one in (before, after)]
    references = [one for one in (before, after) if one is not None and one.digest is None]
    found = NO_CONTENT if references else lines_between(*sides)
    return replace(shown, at=Lines(path, found))


def _before(database: Database, info: VersionInfo) -> int:
    """The live version before it; itself where it is the first."""
    older = queries.version_infos(database, info.collection, after=info.version, limit=1)
    return older[0].version if older else info.version


def _side(info: VersionInfo, asked_as: str | None) -> Side:
    return Side(
        version=info.version,
        asked_as=asked_as or f"v{info.version}",
        files=info.entry_count,
        size_bytes=info.size_bytes,
        created_us=info.created_us,
        author=info.author,
        description=info.description,
        digest=info.digest,
    )


def _counts(found: Sequence[EntryDifference], *, is_complete: bool) -> Counts:
    changes = [_change(one) for one in found]
    grown = sum((_size(one.after) or 0) - (_size(one.before) or 0) for one in found)
    return Counts(changes.count(ADDED), changes.count(REMOVED), changes.count(CHANGED), grown, is_complete)


def _difference(found: EntryDifference) -> Difference:
    sizes = [0 if one is None else one.size for one in (found.before, found.after)]
    grown = None if sizes[0] is None or sizes[1] is None else sizes[1] - sizes[0]
    return Difference(found.path, _change(found), _content(found.before), _content(found.after), grown)


def _change(found: EntryDifference) -> str:
    if found.before is None:
        return ADDED
    return REMOVED if found.after is None else CHANGED


def _size(content: EntryContent | None) -> int | None:
    return None if content is None else content.size


def _content(content: EntryContent | None) -> Content | None:
    if content is None:
        return None
    digest = None if content.digest is None else digests.to_text(content.digest)
    return Content(content.size, digest, content.uri, content.executable)


def _of_metadata(before: str, after: str) -> Iterator[ValueDifference]:
    old, new = dict(flat(json.loads(before))), dict(flat(json.loads(after)))
    for key in sorted(old.keys() | new.keys()):
        was, is_now = (value_of(key, side[key]) if key in side else None for side in (old, new))
        if key in old and key in new and old[key] == new[key] and type(old[key]) is type(new[key]):
            continue
        change = ADDED if was is None else REMOVED if is_now is None else CHANGED
        yield ValueDifference(key, change, was, is_now)
