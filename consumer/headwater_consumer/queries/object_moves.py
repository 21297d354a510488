"""Where ranges of objects were rewritten to, however often: one statement follows all moves of a content to the end.

What was rewritten n times costs the database n look-ups by index. Where many contents of an object are asked for, all
moves of it, and of what it was rewritten to, are read at once: neighbours move together, so they are few.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate, chain
from typing import Any, NamedTuple

from headwater_schemas.entries import BlobLocation

from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.names_at_once import is_one_of, names_at_once
from headwater_consumer.database.sql import (
    BigInteger,
    Text,
    bindparam,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    values,
)
from headwater_consumer.database.tables import RELOCATED_RANGES

MOVES_MAX = 1024  # how often one content was rewritten since its entry was written: years of a collection every day
LOOK_UPS_MAX = 4  # in one object; for more, all its moves are read


class _Move(NamedTuple):
    start: int  # in the object
    end: int
    to_object_name: str
    to_start: int


class _ObjectMoves:
    """All moves of an object."""

    def __init__(self, moves: Sequence[_Move]) -> None:
        """`moves`: by their start; of those with one start, the preferred one last."""
        self._moves = moves
        self._ends = list(accumulate((move.end for move in moves), max))  # the largest so far

    def applied(self, place: BlobLocation) -> BlobLocation:
        """Where this place of the object is now: by the nearest move that contains it, or not moved."""
        start, end = place.offset, place.offset + place.size
        at = bisect_right(self._moves, start, key=lambda move: move.start) - 1
        while at >= 0 and self._ends[at] >= end:
            move = self._moves[at]
            if move.end >= end:
                return BlobLocation(move.to_object_name, move.to_start + start - move.start, place.size)
            at -= 1
        return place


def moved(connection: Connection, places: Sequence[BlobLocation]) -> list[BlobLocation]:
    """Where each place is after all moves; the place itself where it was not moved.

    Cost: a statement for KEYS_PER_STATEMENT_MAX places, however often they moved, or objects with many of them.
    """
    asked = Counter(place.object_name for place in places)
    read = _moves_of(connection, [name for name, times in asked.items() if times > LOOK_UPS_MAX])
    found = _looked_up(connection, [place for place in places if asked[place.object_name] <= LOOK_UPS_MAX])
    return [_followed(read, place) if place.object_name in read else found.get(place, place) for place in places]


def sources(connection: Connection, names: Iterable[str]) -> set[str]:
    """The objects, and all whose content was rewritten to one of them. Cost: a statement for the usual number."""
    return _reached(connection, _sources, names)


def successors(connection: Connection, names: Iterable[str]) -> set[str]:
    """The objects, and all that content of them was rewritten to. Cost: as `sources`."""
    return _reached(connection, _successors, names)


def moves_before(connection: Connection, name: str) -> int:
    """How often content that is in an object was rewritten before, at most; counted up to MOVES_MAX."""
    (moves,) = _moves_before().first(connection, object_name=name)
    return int(moves)


def _reached(connection: Connection, query: Callable[[int], Any], names: Iterable[str]) -> set[str]:
    found = set(names)
    for count, parameters in names_at_once(list(found)):
        found.update(name for (name,) in query(count).tuples(connection, **parameters))
    return found


def _followed(read: Mapping[str, _ObjectMoves], place: BlobLocation) -> BlobLocation:
    for _ in range(MOVES_MAX):
        moves = read.get(place.object_name)
        if moves is None or (following := moves.applied(place)) == place:
            break
        place = following
    return place


def _moves_of(connection: Connection, names: Sequence[str]) -> dict[str, _ObjectMoves]:
    """Object → its moves, of these objects and of all that their content was rewritten to."""
    found: dict[str, list[_Move]] = {name: [] for name in names}
    reached = successors(connection, names) if names else ()
    for count, parameters in names_at_once(reached):
        for name, offset, length, to_name, to_offset in _moves_of_objects(count).tuples(connection, **parameters):
            found.setdefault(name, []).append(_Move(offset, offset + length, to_name, to_offset))
    return {name: _ObjectMoves(moves) for name, moves in found.items()}


def _looked_up(connection: Connection, places: Iterable[BlobLocation]) -> dict[BlobLocation, BlobLocation]:
    """Where those places are now that were moved."""
    wanted = sorted(set(places), key=lambda place: (place.object_name, place.offset, place.size))
    found: dict[BlobLocation, BlobLocation] = {}
    for start in range(0, len(wanted), KEYS_PER_STATEMENT_MAX):
        some = padded(wanted[start : start + KEYS_PER_STATEMENT_MAX])
        asked = chain.from_iterable((n, one.object_name, one.offset, one.size) for n, one in enumerate(some))
        parameters = dict(zip(_parameters(len(some)), asked, strict=True))
        for n, name, offset in _ends(len(some)).tuples(connection, **parameters):
            found[some[n]] = BlobLocation(name, offset, some[n].size)
    return found


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _moves_of_objects(names: int) -> Statement:
    """All moves of these objects, in the order of `_ObjectMoves`."""
    columns = RELOCATED_RANGES.c
    return (
        select(
            columns.object_name,
            columns.object_offset,
            columns.length,
            columns.to_object_name,
            columns.to_object_offset,
        )
        .where(is_one_of(columns.object_name, names))
        .order_by(columns.object_offset, columns.length.desc(), *_by_target(descending=True))
    )


@cache
def _parameters(places: int) -> list[str]:
    """The parameters of `_ends`, in the order of the columns."""
    return [f"{kind}_{i}" for i in range(places) for kind in ("n", "name", "start", "size")]


@compiled
def _ends(places: int) -> Statement:
    """(number, object, offset) of each place that was moved: where it is after the last of its moves."""
    columns: dict[str, Any] = {"n": BigInteger(), "name": Text(), "start": BigInteger(), "size": BigInteger()}
    rows: list[tuple[Any, ...]] = [
        tuple(bindparam(f"{name}_{i}", type_=type_) for name, type_ in columns.items()) for i in range(places)
    ]
    wanted: Any = values(*(column(name, type_) for name, type_ in columns.items())).data(rows).cte("wanted")
    first: Any = select(wanted.c.n, literal(1).label("moves"), *_next(wanted), wanted.c.size)
    walk: Any = first.cte("walk", recursive=True)
    following = select(walk.c.n, walk.c.moves + 1, *_next(walk), walk.c.size)
    walk = walk.union_all(following.where(walk.c.name.is_not(None), walk.c.moves < MOVES_MAX))
    ends_here = or_(walk.c.moves == MOVES_MAX, ~exists().where(*_contains(walk)).correlate(walk))
    return select(walk.c.n, walk.c.name, walk.c.start).where(walk.c.name.is_not(None), ends_here)


def _next(place: Any) -> list[Any]:
    """Object and offset of a place after its next move, None where there is none.

    By the nearest range that contains all of it. Of several, any would do, and each reader takes the same.
    """
    columns = RELOCATED_RANGES.c
    order = columns.object_offset.desc(), columns.length, *_by_target(descending=False)

    def of_nearest(value: Any) -> Any:
        return select(value).where(*_contains(place)).order_by(*order).limit(1).correlate(place).scalar_subquery()

    start = columns.to_object_offset + place.c.start - columns.object_offset
    return [of_nearest(columns.to_object_name).label("name"), of_nearest(start).label("start")]


def _contains(place: Any) -> list[Any]:
    columns = RELOCATED_RANGES.c
    begins_before = columns.object_offset <= place.c.start
    return [
        columns.object_name == place.c.name,
        begins_before,
        columns.object_offset + columns.length >= place.c.start + place.c.size,
    ]


@compiled
def _sources(names: int) -> Statement:
    columns = RELOCATED_RANGES.c
    return _reachable(columns.to_object_name, columns.object_name, names)


@compiled
def _successors(names: int) -> Statement:
    columns = RELOCATED_RANGES.c
    return _reachable(columns.object_name, columns.to_object_name, names)


def _reachable(origin: Any, target: Any, names: int) -> Statement:
    """All that moves lead to from some objects, in one direction; each once, so that circles end."""
    reached: Any = select(target.label("name")).where(is_one_of(origin, names)).cte("reached", recursive=True)
    reached = reached.union(select(target).where(origin == reached.c.name))
    return select(reached.c.name)


@compiled
def _moves_before() -> Statement:
    columns = RELOCATED_RANGES.c
    first = select(columns.object_name.label("name"), literal(1).label("moves"))
    walk: Any = first.where(columns.to_object_name == bindparam("object_name")).cte("walk", recursive=True)
    earlier = select(columns.object_name, walk.c.moves + 1)
    walk = walk.union(earlier.where(columns.to_object_name == walk.c.name, walk.c.moves < MOVES_MAX))
    return select(func.coalesce(func.max(walk.c.moves), 0))


def _by_target(*, descending: bool) -> list[Any]:
    columns = RELOCATED_RANGES.c
    order = columns.to_object_name, columns.to_object_offset
    return [column.desc() if descending else column for column in order]
