"""The entries of a version, read through its chain of layers.

A chain is given topmost first. For a path the topmost layer that names it counts, and a removal there hides it. Layers
of sealed versions never change and name a path once, so a long result may be read page by page, each from a snapshot of
its own.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from enum import Enum
from itertools import chain
from operator import itemgetter
from typing import Any

from headwater_schemas.entries import BlobLocation, Reference, file_identity, reference_leaf
from headwater_schemas.paths import as_stored, range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.lost_transactions import lost_transactions
from headwater_consumer.database.sql import bindparam, exists, select
from headwater_consumer.database.tables import ENTRIES, LAYERS, VERSION_LAYERS
from headwater_consumer.layers.path_conflicts import Exclusions, first_path_conflict
from headwater_consumer.layers.stored import StoredLayerStack
from headwater_consumer.queries.blob_locations import current_locations
from headwater_consumer.queries.results import EntryInfo
from headwater_consumer.rows import EXECUTABLE, FILE_KINDS, REMOVED

PATHS_PER_SNAPSHOT = 10_000  # bounds how long one snapshot is open, and the memory of the query
ROWS_PER_PAGE = 5000  # bounds the memory of a page: at most so many rows of each layer, of which there are a few

_path, _kind = itemgetter(0), itemgetter(1)  # in both

ListingPage = tuple[list[str], list[bytes]]


class Columns(Enum):
    """What is read of the rows of a layer: path and kind come first."""

    ALL = EntryInfo._fields
    COMPARED = ("path", "kind", "digest", "size", "uri", "checksum", "object_version")
    SIZED = ("path", "kind", "digest", "size")
    NAMED = ("path", "kind")
    DIFFERING = ("path", "kind", "size", "digest", "uri", "checksum", "object_version")


def entries_page(
    database: Database, layers: Sequence[int], *, prefix: str = "", after: str | None = None, limit: int = ROWS_PER_PAGE
) -> list[EntryInfo]:
    """The entries under the folder `prefix` ("" for all) by path, `limit` of them unless it is the last page.

    The next page: `after` = the last one's path.
    """
    page: list[Any] = []
    for rows in pages(database, layers, Columns.ALL, prefix, after, min(limit, ROWS_PER_PAGE)):
        page += rows
        if len(page) >= limit:
            break
    return _located_entries(database, page[:limit])


def all_entries(
    database: Database, layers: Sequence[int], *, prefix: str = "", after: str | None = None
) -> Iterator[list[EntryInfo]]:
    """All entries under the folder `prefix` ("" for all) by path, in pages; those beyond the path `after`."""
    for rows in pages(database, layers, Columns.ALL, prefix, after, ROWS_PER_PAGE):
        yield _located_entries(database, rows)


def listing(database: Database, layers: Sequence[int], *, after: str | None = None) -> Iterator[ListingPage]:
    """Path and identity of every entry beyond `after` by path, in pages of columns: for detecting changes.

    The identity tells one content of a path from another: `file_identity` or `reference_leaf`.
    """
    for rows in pages(database, layers, Columns.COMPARED, "", after, ROWS_PER_PAGE):
        yield [row[0] for row in rows], list(map(_identity, rows))


def entry(database: Database, layers: Sequence[int], path: str) -> EntryInfo | None:
    """One entry; None when the version has no such path. Cost: one index look-up a layer."""
    if not layers:
        return None
    with database.snapshot() as connection:
        numbers = padded(layers)
        values = {f"layer_{i}": layer for i, layer in enumerate(numbers)}
        rows = _rows_of_path(len(numbers)).tuples(connection, path=path, **values)
        if not rows:
            return None
        depth = {layer: i for i, layer in enumerate(layers)}
        topmost = min(rows, key=lambda row: depth[row[0]])
        info = EntryInfo._make(topmost[1:])
        return None if info.kind == REMOVED else _located(connection, [info])[0]


def entries_of(database: Database, layers: Sequence[int], paths: Sequence[str]) -> dict[str, EntryInfo]:
    """The entries at many paths; missing paths are left out. Cost: as `entry`, for each."""
    found: dict[str, EntryInfo] = {}
    for start in range(0, len(paths) if layers else 0, PATHS_PER_SNAPSHOT):
        wanted = paths[start : start + PATHS_PER_SNAPSHOT]
        with database.snapshot() as connection:
            infos = _located(connection, entries_at(connection, layers, wanted))
        of_path = {info.path: info for info in infos}
        found.update({path: of_path[path] for path in wanted if path in of_path})
    return found


def path_conflict(
    database: Database,
    layers: Sequence[int],
    paths: Sequence[str],
    *,
    without: Collection[str] = (),
    without_folders: Collection[str] = (),
) -> tuple[str, str] | None:
    """The first of `paths` that cannot join the chain's entries, and the path there that it conflicts with, or None.

    A path must not be a file and a folder at once, nor look like another one to a reader; see `layers.path_conflicts`.
    What is removed at the same time, `without` and all under `without_folders`, conflicts with nothing. Conflicts among
    `paths` themselves are not checked. Cost: a few index look-ups a folder and layer; where paths lie among others, one
    more each.
    """
    exclusions = Exclusions.of(without, without_folders)
    for start in range(0, len(paths) if layers else 0, PATHS_PER_SNAPSHOT):
        with database.snapshot() as connection:
            stack = StoredLayerStack(database.adapter, connection, layers)
            if conflict := first_path_conflict(stack, paths[start : start + PATHS_PER_SNAPSHOT], exclusions):
                return conflict
    return None


def stored_path(database: Database, layers: Sequence[int], path: str) -> str:
    """The path of an entry or folder, as the chain spells it: see `paths.as_stored`."""
    return as_stored(path, lambda form: entry(database, layers, form) is not None or has_folder(database, layers, form))


def has_folder(database: Database, layers: Sequence[int], folder: str) -> bool:
    """Whether the chain contains anything under `folder`."""
    with database.snapshot() as connection:
        return StoredLayerStack(database.adapter, connection, layers).first_under(folder) is not None


# --- merging layers -----------------------------------------------------------------------------------------------


class _Reader:
    """Reads one layer ahead, page by page."""

    __slots__ = ("_after", "_columns", "_end", "_rows", "exhausted", "layer")

    def __init__(self, layer: int, columns: Columns, after: str, end: str | None) -> None:
        self.layer, self._columns, self._after, self._end = layer, columns, after, end
        self._rows: Sequence[Any] = []
        self.exhausted = False  # nothing is left in the database; rows may still be buffered here

    @property
    def done(self) -> bool:
        return self.exhausted and not self._rows

    @property
    def last(self) -> str:
        """The last path that was read."""
        return self._after

    def fill(self, connection: Connection, count: int) -> None:
        if self._rows or self.exhausted:
            return
        statement = rows_of_layer(self._columns, self._end is not None)
        self._rows = statement.tuples(connection, layer=self.layer, after=self._after, end=self._end, limit=count)
        self.exhausted = len(self._rows) < count
        if self._rows:
            self._after = _path(self._rows[-1])

    def take(self, last: str | None) -> Sequence[Any]:
        """The rows up to the path `last`; all where it is None."""
        count = len(self._rows) if last is None else bisect_right(self._rows, last, key=_path)
        taken, self._rows = self._rows[:count], self._rows[count:]
        return taken


def pages(
    database: Database, layers: Sequence[int], columns: Columns, prefix: str, after: str | None, count: int
) -> Iterator[list[Any]]:
    """The rows of the chain, by path. No page is empty; each layer is read once, `count` rows at a time.

    The chain is that of a version. Raises: StoreUnavailable when the database has lost it since the chain was read.
    """
    start, end = range_of_folder(prefix) if prefix else ("", None)
    readers = [_Reader(layer, columns, max(start, after or ""), end) for layer in layers]
    while readers:
        with database.snapshot() as connection:
            for reader in readers:
                reader.fill(connection, count)
            _check_layers(connection, [reader.layer for reader in readers if reader.exhausted], database.name)
        # Beyond the end of the shortest page, not every layer was read.
        last = min((reader.last for reader in readers if not reader.exhausted), default=None)
        merged = _merged([reader.take(last) for reader in readers])
        readers = [reader for reader in readers if not reader.done]
        if merged:
            yield merged


def _check_layers(connection: Connection, layers: Sequence[int], name: str) -> None:
    """A database that crashed lacks its last transactions for a moment; what it lacks must not read as empty."""
    if not layers:
        return
    numbers = padded(layers)
    found = _sealed_among(len(numbers)).tuples(connection, **{f"layer_{i}": layer for i, layer in enumerate(numbers)})
    if len(found) < len(layers):
        raise lost_transactions(name)


def _merged(stretches: Sequence[Sequence[Any]]) -> list[Any]:
    """Rows of the same range of paths from each layer, topmost first, merged."""
    named_by = [stretch for stretch in stretches if stretch]
    if len(named_by) > 1:
        # Later ones replace earlier ones: the topmost layer comes last.
        of_path = {row[0]: row for row in chain.from_iterable(reversed(named_by))}
        rows = sorted(of_path.values(), key=_path)
    else:
        rows = list(named_by[0]) if named_by else []
    return [row for row in rows if row[1] != REMOVED]


def entries_at(connection: Connection, layers: Sequence[int], paths: Sequence[str]) -> list[EntryInfo]:
    """The entries of the chain at `paths`, in no order."""
    numbers = {f"layer_{i}": layer for i, layer in enumerate(padded(layers))}
    depth = {layer: i for i, layer in enumerate(layers)}
    topmost: dict[str, Any] = {}
    for start in range(0, len(paths), KEYS_PER_STATEMENT_MAX):
        chunk = padded(paths[start : start + KEYS_PER_STATEMENT_MAX])
        texts = {f"path_{i}": path for i, path in enumerate(chunk)}
        rows = _rows_of_paths(len(numbers), len(chunk)).tuples(connection, **numbers, **texts)
        rows.sort(key=lambda row: depth[row[0]], reverse=True)
        topmost.update({row[1]: row for row in rows})
    infos = [EntryInfo._make(row[1:]) for row in topmost.values()]
    return [info for info in infos if info.kind != REMOVED]


def _identity(row: Any) -> bytes:
    path, kind, digest, size, uri, checksum, object_version = row
    if kind in FILE_KINDS:
        return file_identity(digest, kind == EXECUTABLE)
    return reference_leaf(Reference(path, uri, checksum, size, object_version))


def _located_entries(database: Database, rows: Sequence[Any]) -> list[EntryInfo]:
    infos = list(map(EntryInfo._make, rows))
    if not infos:
        return infos
    with database.snapshot() as connection:
        return _located(connection, infos)


def _located(connection: Connection, infos: list[EntryInfo]) -> list[EntryInfo]:
    """The same, each file with its current location."""
    files = [i for i, info in enumerate(infos) if info.kind in FILE_KINDS]
    places = [_place(infos[i]) for i in files]
    for i, before, now in zip(files, places, current_locations(connection, places), strict=True):
        if now is not before:
            infos[i] = infos[i]._replace(object_name=now.object_name, object_offset=now.offset)
    return infos


def _place(info: EntryInfo) -> BlobLocation:
    assert info.object_name is not None
    assert info.object_offset is not None
    assert info.size is not None
    return BlobLocation(info.object_name, info.object_offset, info.size)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def rows_of_layer(columns: Columns, bounded: bool) -> Statement:
    """A page of one layer's rows by path: those with a path > `after`, and < `end` where `bounded`."""
    statement = select(*[ENTRIES.c[name] for name in columns.value]).where(
        ENTRIES.c.layer == bindparam("layer"), ENTRIES.c.path > bindparam("after")
    )
    if bounded:
        statement = statement.where(ENTRIES.c.path < bindparam("end"))
    return statement.order_by(ENTRIES.c.path, ENTRIES.c.ordinal).limit(bindparam("limit"))


@compiled
def _sealed_among(layers: int) -> Statement:
    """Layers that a version has, and which are complete therefore."""
    sealed = exists().where(VERSION_LAYERS.c.layer == LAYERS.c.layer)
    return select(LAYERS.c.layer).where(LAYERS.c.layer.in_([bindparam(f"layer_{i}") for i in range(layers)]), sealed)


@compiled
def _rows_of_path(layers: int) -> Statement:
    in_chain = ENTRIES.c.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    columns = [ENTRIES.c[name] for name in EntryInfo._fields]
    return select(ENTRIES.c.layer, *columns).where(in_chain, ENTRIES.c.path == bindparam("path"))


@compiled
def _rows_of_paths(layers: int, paths: int) -> Statement:
    in_chain = ENTRIES.c.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    of_paths = ENTRIES.c.path.in_([bindparam(f"path_{i}") for i in range(paths)])
    columns = [ENTRIES.c[name] for name in EntryInfo._fields]
    return select(ENTRIES.c.layer, *columns).where(in_chain, of_paths)
