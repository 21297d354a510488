"""Where content is that was moved: the same for one that is looked up, and for many, however often it was."""

from collections.abc import Callable
from typing import Any

import pytest
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import CompiledStatement
from headwater_consumer.queries import object_moves
from headwater_consumer.queries.needed_objects import moves_before, successors
from headwater_schemas.entries import BlobLocation
from headwater_schemas.events import BlobsMoved, Move
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.consumer.events import PROJECT
from tests.consumer.inspection import Databases
from tests.support.history import History, pack_of
from tests.support.memory_log import MemoryLog

PACKS = [pack_of(PROJECT, n) for n in range(4)]

_offsets, _sizes = st.integers(0, 20), st.integers(0, 8)
_moves = st.builds(  # to a later pack, so that none ever comes back
    lambda pack, steps, start, size, to: Move(PACKS[pack], start, size, PACKS[min(pack + steps, 3)], to),
    st.integers(0, 2),
    st.integers(1, 3),
    _offsets,
    _sizes,
    st.integers(0, 5),
)
_places = st.builds(BlobLocation, st.sampled_from(PACKS), _offsets, _sizes)


@settings(deadline=None)
@given(moves=st.lists(_moves, max_size=12, unique=True), places=st.lists(_places, min_size=1, max_size=30))
def test_many_places_are_found_where_each_is(
    databases: Databases, moves: list[Move], places: list[BlobLocation]
) -> None:
    with databases.empty() as database, pytest.MonkeyPatch.context() as patch:
        history = History(MemoryLog(1), database)
        if moves:
            history.write(BlobsMoved(project=PROJECT, moves=tuple(moves)))
        expected = [_followed(moves, place) for place in places]

        assert [queries.current_places(database, [place])[0] for place in places] == expected
        assert queries.current_places(database, places) == expected
        patch.setattr(object_moves, "LOOK_UPS_MAX", 0)
        assert queries.current_places(database, places) == expected


def _followed(moves: list[Move], place: BlobLocation) -> BlobLocation:
    """By every move there is."""
    while True:
        end = place.offset + place.size
        of_object = [move for move in moves if move.object_name == place.object_name]
        holding = [move for move in of_object if move.offset <= place.offset and move.offset + move.length >= end]
        if not holding:
            return place
        nearest = min(holding, key=lambda move: (-move.offset, move.length, move.to_object_name, move.to_offset))
        place = BlobLocation(nearest.to_object_name, nearest.to_offset + place.offset - nearest.offset, place.size)


def test_what_lies_across_two_moves_was_not_moved(history: History) -> None:
    moves = [Move(PACKS[0], start, 10, PACKS[1], 100 + start) for start in (0, 10)]
    history.write(BlobsMoved(project=PROJECT, moves=tuple(moves)))
    places = [BlobLocation(PACKS[0], start, 4) for start in range(17)]

    found = queries.current_places(history.database, places)

    across = {7, 8, 9}
    assert [place.object_name == PACKS[0] for place in found] == [start in across for start in range(17)]
    assert {place.offset - 100 for place in found if place.object_name == PACKS[1]} == set(range(17)) - across


FEW, MANY = 2, 70  # moves of one content
SIZE = 10


def _moved_on(history: History, moves: int) -> list[str]:
    """The packs that a content of every pack was in, one after the other, at another offset each."""
    names = [pack_of(PROJECT, n) for n in range(moves + 1)]
    for n in range(moves):
        history.write(BlobsMoved(project=PROJECT, moves=(Move(names[n], n * 100, 100, names[n + 1], (n + 1) * 100),)))
    return names


def _statements(databases: Databases, moves: int, ask: Callable[[Database, list[str]], object]) -> int:
    asked: list[str] = []
    filled: Any = CompiledStatement._filled

    def count(statement: CompiledStatement, *arguments: Any) -> Any:
        asked.append(statement.name)
        return filled(statement, *arguments)

    with databases.empty() as database, pytest.MonkeyPatch.context() as patch:
        names = _moved_on(History(MemoryLog(1), database), moves)
        patch.setattr(CompiledStatement, "_filled", count)
        ask(database, names)
    return len(asked)


def _assert_found(places: int) -> Callable[[Database, list[str]], object]:
    def ask(database: Database, names: list[str]) -> None:
        asked = [BlobLocation(names[0], n, SIZE) for n in range(places)]
        last = len(names) - 1

        assert queries.current_places(database, asked) == [
            BlobLocation(names[last], last * 100 + n, SIZE) for n in range(places)
        ]

    return ask


def _assert_followed(database: Database, names: list[str]) -> None:
    assert successors(database, names[:1]) == set(names)


def _assert_counted(database: Database, names: list[str]) -> None:
    assert [moves_before(database, names[n]) for n in (0, 1, -1)] == [0, 1, len(names) - 1]


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(_assert_found(1), id="one place"),
        pytest.param(_assert_found(object_moves.LOOK_UPS_MAX + 1), id="many places"),
        pytest.param(_assert_followed, id="objects"),
        pytest.param(_assert_counted, id="moves"),
    ],
)
def test_what_moved_often_is_found_by_as_many_statements(
    databases: Databases, ask: Callable[[Database, list[str]], object]
) -> None:
    few = _statements(databases, FEW, ask)

    assert 0 < few == _statements(databases, MANY, ask)


def test_moves_in_a_circle_end(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = [Move(PACKS[n], 0, SIZE, PACKS[(n + 1) % 3], 0) for n in range(3)]
    history.write(BlobsMoved(project=PROJECT, moves=tuple(moves)))
    place = BlobLocation(PACKS[0], 0, SIZE)

    (looked_up,) = queries.current_places(history.database, [place])
    monkeypatch.setattr(object_moves, "LOOK_UPS_MAX", 0)

    assert looked_up == queries.current_places(history.database, [place])[0]
    assert looked_up.object_name in PACKS[:3]
    assert successors(history.database, [PACKS[0]]) == set(PACKS[:3])
    assert moves_before(history.database, PACKS[0]) == object_moves.MOVES_MAX
