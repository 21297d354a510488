"""Blob locations: where content is stored.

An entry always names the object that its bytes were first stored in. They may be elsewhere by now: ranges of objects
are rewritten (`relocated_ranges`), and objects that will be deleted are condemned.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import FILES, PACKS
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import LargeBinary, Text, bindparam, cast, column, exists, func, select, values
from headwater_consumer.database.tables import CONDEMNED_OBJECTS, DRAFTS, ENTRIES, RELOCATED_RANGES

OBJECTS_TRIED_MAX = 16  # with one content; then it counts as not stored, and is stored again
MOVES_MAX = 16  # how often one content was rewritten since its entry was written; a collector rewrites by halves

_Wanted = tuple[bytes, str, str]  # a digest; the names after which to search, among packs and among large files


class _Found(NamedTuple):
    """Where an entry says that its content is."""

    place: BlobLocation
    is_rewritten: bool  # ranges of that object are somewhere else
    is_condemned: bool  # that object will be deleted


def stored_locations(
    database: Database, project: str, digests: Sequence[bytes], *, without: Collection[str] = ()
) -> dict[bytes, BlobLocation]:
    """Where content of "entity/project" is stored already; content that is not stored is left out.

    Content that only an open draft has does not count: it may disappear with the draft, while a sealed version stays.
    Content of which every copy is in a condemned object, or in one `without` which to search, counts as not stored.
    Cost: one statement for KEYS_PER_STATEMENT_MAX digests, two index look-ups each, however many entries have one;
    more statements only for what was rewritten or condemned.
    """
    with database.autocommit() as connection:  # a suggestion: see `stored_content`
        start, end = range_of_folder(project)
        if not digests or (
            len(digests) > KEYS_PER_STATEMENT_MAX and not _any_draft().tuples(connection, start=start, end=end)
        ):
            return {}
        (packs, packs_end), (files, files_end) = (range_of_folder(f"{kind}/{project}") for kind in (PACKS, FILES))
        # Sorted: neighbours in the index are found faster.
        wanted: list[_Wanted] = [(digest, packs, files) for digest in sorted(set(digests))]
        found: dict[bytes, BlobLocation] = {}
        for _ in range(OBJECTS_TRIED_MAX):
            first = _first_locations(connection, wanted, packs_end, files_end)
            usable = _usable_locations(connection, first, without)
            found.update(usable)
            unusable = [(digest, one.place.object_name) for digest, one in first.items() if digest not in usable]
            if not unusable:
                break
            wanted = [(d, name, files) if name > packs else (d, packs_end, name) for d, name in unusable]
    return found


def current_locations(connection: Connection, places: Sequence[BlobLocation]) -> list[BlobLocation]:
    """Each location, or where its bytes were rewritten to. Cost: negligible while nothing was ever rewritten."""
    now = list(places)
    if not _any_relocated().tuples(connection):
        return now
    rewritten = list(range(len(now)))
    for _ in range(MOVES_MAX):
        sources = _among(connection, _relocated_objects, (now[i].object_name for i in rewritten))
        moved = {i: _relocated(connection, now[i]) for i in rewritten if now[i].object_name in sources}
        rewritten = [i for i, place in moved.items() if place != now[i]]
        for i in rewritten:
            now[i] = moved[i]
        if not rewritten:
            break
    return now


def objects_of(database: Database, layers: Sequence[int]) -> dict[str, int]:
    """The objects that hold the content of these layers, each with the end of what is needed of it.

    Content that a layer above hides is included. Cost: reads the entries of the layers.
    """
    with database.snapshot() as connection:
        numbers = {f"layer_{i}": layer for i, layer in enumerate(padded(layers))}
        rows = _objects_of_layers(len(numbers)).tuples(connection, **numbers) if layers else ()
        ends = dict(rows)
        if not ends or not _any_relocated().tuples(connection):
            return ends
        for name in _among(connection, _relocated_objects, ends):
            del ends[name]
            places = [
                BlobLocation(name, *place)
                for place in _places_in(len(numbers)).tuples(connection, object_name=name, **numbers)
            ]
            for place in current_locations(connection, places):
                ends[place.object_name] = max(ends.get(place.object_name, 0), place.offset + place.size)
    return ends


def _first_locations(
    connection: Connection, wanted: Sequence[_Wanted], packs_end: str, files_end: str
) -> dict[bytes, _Found]:
    found: dict[bytes, _Found] = {}
    for start in range(0, len(wanted), KEYS_PER_STATEMENT_MAX):
        chunk = padded(wanted[start : start + KEYS_PER_STATEMENT_MAX])
        values = dict(zip(_names(len(chunk)), chain.from_iterable(chunk), strict=True))
        rows = _locations(len(chunk)).tuples(connection, **values, files_end=files_end, packs_end=packs_end)
        for digest, name, place, is_rewritten, is_condemned in rows:
            if place is not None:
                offset, size = map(int, place.split(" "))
                found[digest] = _Found(BlobLocation(name, offset, size), bool(is_rewritten), bool(is_condemned))
    return found


def _usable_locations(
    connection: Connection, found: Mapping[bytes, _Found], without: Collection[str]
) -> dict[bytes, BlobLocation]:
    """The current locations, less those in condemned objects and in those `without`."""
    usable = {d: one.place for d, one in found.items() if not one.is_rewritten and not one.is_condemned}
    if rewritten := {digest: one.place for digest, one in found.items() if one.is_rewritten}:
        moved = dict(zip(rewritten, current_locations(connection, list(rewritten.values())), strict=True))
        condemned = _among(connection, _condemned_objects, (place.object_name for place in moved.values()))
        usable |= {digest: place for digest, place in moved.items() if place.object_name not in condemned}
    return {d: place for d, place in usable.items() if place.object_name not in without} if without else usable


def _relocated(connection: Connection, place: BlobLocation) -> BlobLocation:
    row = _move_of().first(connection, object_name=place.object_name, start=place.offset, end=place.offset + place.size)
    if row is None:
        return place
    return BlobLocation(row.to_object_name, row.to_object_offset + place.offset - row.object_offset, place.size)


def _among(connection: Connection, query: Any, names: Iterable[str]) -> set[str]:
    """Those of the object names that `query` finds."""
    unique = list(dict.fromkeys(names))
    found: set[str] = set()
    for start in range(0, len(unique), KEYS_PER_STATEMENT_MAX):
        chunk = padded(unique[start : start + KEYS_PER_STATEMENT_MAX])
        parameters = {f"name_{i}": name for i, name in enumerate(chunk)}
        found.update(row[0] for row in query(len(chunk)).rows(connection, **parameters))
    return found


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _any_draft() -> Statement:
    table = DRAFTS
    in_project = (table.c.collection >= bindparam("start")) & (table.c.collection < bindparam("end"))
    return select(table.c.collection).where(in_project).limit(1)


@compiled
def _any_relocated() -> Statement:
    return select(RELOCATED_RANGES.c.object_offset).limit(1)


@compiled
def _relocated_objects(names: int) -> Statement:
    wanted = RELOCATED_RANGES.c.object_name.in_([bindparam(f"name_{i}") for i in range(names)])
    return select(RELOCATED_RANGES.c.object_name).where(wanted).distinct()


@compiled
def _condemned_objects(names: int) -> Statement:
    wanted = CONDEMNED_OBJECTS.c.object_name.in_([bindparam(f"name_{i}") for i in range(names)])
    return select(CONDEMNED_OBJECTS.c.object_name).where(wanted)


@compiled
def _objects_of_layers(layers: int) -> Statement:
    """(object, end of what is needed of it)."""
    columns = ENTRIES.c
    in_layers = columns.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    return (
        select(columns.object_name, func.max(columns.object_offset + columns.size))
        .where(in_layers, columns.object_name.is_not(None))
        .group_by(columns.object_name)
    )


@compiled
def _places_in(layers: int) -> Statement:
    """(offset, size) of each content of the layers in one object."""
    columns = ENTRIES.c
    in_layers = columns.layer.in_([bindparam(f"layer_{i}") for i in range(layers)])
    return (
        select(columns.object_offset, columns.size)
        .where(in_layers, columns.object_name == bindparam("object_name"))
        .distinct()
    )


@compiled
def _move_of() -> Statement:
    """The nearest range that contains all of a location. Of several, any would do, and each reader takes the same."""
    return (
        select(RELOCATED_RANGES)
        .where(
            RELOCATED_RANGES.c.object_name == bindparam("object_name"),
            RELOCATED_RANGES.c.object_offset <= bindparam("start"),
            RELOCATED_RANGES.c.object_offset + RELOCATED_RANGES.c.length >= bindparam("end"),
        )
        .order_by(
            RELOCATED_RANGES.c.object_offset.desc(),
            RELOCATED_RANGES.c.length,
            RELOCATED_RANGES.c.to_object_name,
            RELOCATED_RANGES.c.to_object_offset,
        )
        .limit(1)
    )


@cache
def _names(digests: int) -> list[str]:
    """The parameters of `_locations`, in the order of the columns."""
    return [f"{kind}_{i}" for i in range(digests) for kind in ("digest", "packs", "files")]


@compiled
def _locations(digests: int) -> Statement:
    """(digest, object, "OFFSET SIZE", whether the object is rewritten, whether it is condemned) for each.

    Of the first entry with this digest by the object's name. None where there is none. Scalars, because only those can
    stop at the first row on every database.
    """
    columns = (column("digest", LargeBinary()), column("packs", Text()), column("files", Text()))
    rows: list[tuple[Any, ...]] = [
        (bindparam(f"digest_{i}", type_=LargeBinary()), bindparam(f"packs_{i}"), bindparam(f"files_{i}"))
        for i in range(digests)
    ]
    wanted = values(*columns).data(rows).cte("wanted")
    open_layers = select(DRAFTS.c.layer).where(DRAFTS.c.closed_position.is_(None))

    def first_name(after: Any, end: str) -> Any:
        in_range = (ENTRIES.c.object_name > after) & (ENTRIES.c.object_name < bindparam(end))
        return (
            select(ENTRIES.c.object_name)
            .where(ENTRIES.c.digest == wanted.c.digest, in_range, ENTRIES.c.layer.not_in(open_layers))
            .order_by(ENTRIES.c.object_name)
            .limit(1)
            .scalar_subquery()
        )

    name = func.coalesce(first_name(wanted.c.packs, "packs_end"), first_name(wanted.c.files, "files_end"))
    # Materialized: used once for each column below, it would be computed each time.
    first = select(wanted.c.digest, name.label("name")).cte("first").prefix_with("MATERIALIZED", dialect="postgresql")
    place = (
        select(cast(ENTRIES.c.object_offset, Text()) + " " + cast(ENTRIES.c.size, Text()))
        .where(ENTRIES.c.digest == first.c.digest, ENTRIES.c.object_name == first.c.name)
        .limit(1)
        .scalar_subquery()
    )
    is_rewritten = exists().where(RELOCATED_RANGES.c.object_name == first.c.name)
    is_condemned = exists().where(CONDEMNED_OBJECTS.c.object_name == first.c.name)
    return select(first.c.digest, first.c.name, place, is_rewritten, is_condemned)
