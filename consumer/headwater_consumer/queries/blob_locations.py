"""Blob locations: where content is stored.

An entry always names the object that its bytes were first stored in. They may be elsewhere by now: ranges of objects
are rewritten (`relocated_ranges`), and objects that will be deleted are condemned.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import attempt_of, attempt_range, project_of
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.conditions import object_ranges
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.names_at_once import found_among, is_one_of
from headwater_consumer.database.sql import LargeBinary, Text, bindparam, cast, column, exists, func, select, values
from headwater_consumer.database.tables import CONDEMNED_OBJECTS, DRAFTS, ENTRIES, RELOCATED_RANGES
from headwater_consumer.queries.object_moves import moved

OBJECTS_TRIED_MAX = 16  # with one content; then it counts as not stored, and is stored again

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
    Cost: one statement for KEYS_PER_STATEMENT_MAX digests that an entry has, two index look-ups each, however many
    entries have one; for the others, where they are many, a tenth of it. More statements only for what was rewritten or
    condemned.
    """
    with database.autocommit() as connection:  # a suggestion: see `stored_content`
        asked = _perhaps_stored(database, connection, project, set(digests))
        if not asked:
            return {}
        packs, packs_end, files, files_end = object_ranges(project).values()
        # Sorted: neighbours in the index are found faster.
        wanted: list[_Wanted] = [(digest, packs, files) for digest in sorted(asked)]
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
    if not any_relocated().tuples(connection):
        return now
    relocated = found_among(connection, relocated_objects, (place.object_name for place in places))
    asked = [i for i, place in enumerate(places) if place.object_name in relocated]
    for i, place in zip(asked, moved(connection, [places[i] for i in asked]), strict=True):
        now[i] = place
    return now


def next_attempts(database: Database, project: str, digests: Sequence[bytes]) -> dict[bytes, int]:
    """The attempt in the name that large content of "entity/project" is stored under next, for each digest.

    It is above that of every object that an entry or a condemnation ever named: a condemned name never comes back.
    Cost: an index look-up or two for each attempt that was made so far.
    """
    with database.autocommit() as connection:
        return {digest: _next_attempt(connection, project, digest) for digest in digests}


def condemned_objects(database: Database, project: str, objects: Sequence[str]) -> list[str]:
    """Those of these objects of "entity/project" that will be deleted, so that no later event may rely on them."""
    of_project = [name for name in objects if project_of(name) == project]
    with database.autocommit() as connection:
        return sorted(found_among(connection, _condemned_objects, of_project))


def current_places(database: Database, places: Sequence[BlobLocation]) -> list[BlobLocation]:
    """Each of these places, or where its bytes were rewritten to since it was looked up."""
    with database.autocommit() as connection:
        return current_locations(connection, places)


def objects_of(database: Database, layers: Sequence[int]) -> dict[str, int]:
    """The objects that hold the content of these layers, each with the end of what is needed of it.

    Content that a layer above hides is included. Cost: reads the entries of the layers.
    """
    with database.snapshot() as connection:
        numbers = {f"layer_{i}": layer for i, layer in enumerate(padded(layers))}
        rows = _objects_of_layers(len(numbers)).tuples(connection, **numbers) if layers else ()
        ends = dict(rows)
        if not ends or not any_relocated().tuples(connection):
            return ends
        for name in found_among(connection, relocated_objects, ends):
            del ends[name]
            places = [
                BlobLocation(name, *place)
                for place in _places_in(len(numbers)).tuples(connection, object_name=name, **numbers)
            ]
            for place in current_locations(connection, places):
                ends[place.object_name] = max(ends.get(place.object_name, 0), place.offset + place.size)
    return ends


def _perhaps_stored(database: Database, connection: Connection, project: str, digests: set[bytes]) -> set[bytes]:
    """`digests`, less those that no entry has, where they are many: most of so many are new."""
    if len(digests) <= KEYS_PER_STATEMENT_MAX:
        return digests
    start, end = range_of_folder(project)
    if not _any_draft().tuples(connection, start=start, end=end):
        return set()
    return database.adapter.known_digests(connection, sorted(digests))


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
        places = dict(zip(rewritten, current_locations(connection, list(rewritten.values())), strict=True))
        condemned = found_among(connection, _condemned_objects, (place.object_name for place in places.values()))
        usable |= {digest: place for digest, place in places.items() if place.object_name not in condemned}
    return {d: place for d, place in usable.items() if place.object_name not in without} if without else usable


def _next_attempt(connection: Connection, project: str, digest: bytes) -> int:
    after, end = attempt_range(project, digest)
    names = [name for (name,) in _condemned_in().tuples(connection, start=after, end=end)]
    while (found := _next_name().first(connection, digest=digest, after=after, end=end)) is not None:
        names.append(after := found.object_name)
    return max((attempt_of(name) or 0 for name in names), default=-1) + 1


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _any_draft() -> Statement:
    table = DRAFTS
    in_project = (table.c.collection >= bindparam("start")) & (table.c.collection < bindparam("end"))
    return select(table.c.collection).where(in_project).limit(1)


@compiled
def any_relocated() -> Statement:
    return select(RELOCATED_RANGES.c.object_offset).limit(1)


@compiled
def relocated_objects(names: int) -> Statement:
    """The objects of which something was rewritten elsewhere."""
    name = RELOCATED_RANGES.c.object_name
    return select(name).where(is_one_of(name, names)).distinct()


@compiled
def _condemned_objects(names: int) -> Statement:
    name = CONDEMNED_OBJECTS.c.object_name
    return select(name).where(is_one_of(name, names))


@compiled
def _condemned_in() -> Statement:
    """The condemned objects with a name in a range."""
    name = CONDEMNED_OBJECTS.c.object_name
    return select(name).where(name > bindparam("start"), name < bindparam("end")).distinct()


@compiled
def _next_name() -> Statement:
    """The first object, by name, that an entry with a digest names in a range."""
    name = ENTRIES.c.object_name
    in_range = (name > bindparam("after")) & (name < bindparam("end"))
    return select(name).where(ENTRIES.c.digest == bindparam("digest"), in_range).order_by(name).limit(1)


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
