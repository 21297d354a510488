"""Answers about much content that end in time: levels and their folders, differences, and a version's own bytes."""

import pytest
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import differences, levels
from headwater_consumer.queries.differences import differences_within
from headwater_consumer.queries.levels import FolderTotal, level_totals
from headwater_consumer.queries.reclaimable import OwnBytes, own_bytes, reclaimable_bytes

from tests.support.history import History

RAW = "team/vision/raw"


def _layers(database: Database, version: int) -> tuple[int, ...]:
    info = queries.version_info(database, RAW, version)
    assert info is not None
    return info.layers


def test_a_level_is_the_same_however_little_is_read_at_once(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {f"d{n % 9}/{n:03d}": b"%d" % n for n in range(200)} | {f"f{n:02d}": b"%d" % n for n in range(30)}
    history.commit(RAW, contents)
    history.commit(RAW, {"d3/new": b"n", "a": b"a"}, base=0, removed=("f00", "d0/000"))
    layers = _layers(history.database, 1)
    at_once = queries.level(history.database, layers)
    expected = sorted(["a", *(f"d{n}" for n in range(9)), *(f"f{n:02d}" for n in range(1, 30))])
    assert [item.path for item in at_once] == expected

    monkeypatch.setattr(levels, "READ_AT_ONCE_MIN", 2)
    monkeypatch.setattr(levels, "READ_AT_ONCE_MAX", 5)

    assert queries.level(history.database, layers) == at_once
    paged, after = [], None
    while page := queries.level(history.database, layers, after=after, limit=3):
        paged += page
        after = queries.level_key(page[-1])
    assert paged == at_once


def test_folders_are_counted_where_that_is_cheap(history: History) -> None:
    history.commit(RAW, {"a": b"1", "d/x": b"22", "d/e/y": b"333", "d.txt": b"4", "e/z": b"5"})
    history.commit(RAW, {"d/x": b"4444"}, base=0, removed=("e/z",))
    database = history.database

    assert level_totals(database, _layers(database, 0)) == {"d": FolderTotal(2, 5), "e": FolderTotal(1, 1)}
    assert level_totals(database, _layers(database, 1)) == {"d": FolderTotal(2, 7)}
    assert level_totals(database, _layers(database, 0), prefix="d") == {"d/e": FolderTotal(1, 3)}
    assert level_totals(database, _layers(database, 0), counted=4) is None
    assert level_totals(database, _layers(database, 0), counted=5) is not None
    assert level_totals(database, ()) == {}


def test_differences_go_on_where_they_ended(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "PATHS_PER_PAGE", 3)
    history.commit(RAW, {f"{n:02d}": b"%d" % n for n in range(20)})
    history.commit(RAW, {f"{n:02d}": b"new" if n % 5 == 0 else b"%d" % n for n in range(20)})
    database = history.database
    both = _layers(database, 0), _layers(database, 1)
    everything = [one for page in queries.diff_layers(database, *both) for one in page]
    assert [one.path for one in everything] == ["00", "05", "10", "15"]

    for seconds, limit in ((0.0, 100), (60.0, 1)):
        found, after, steps = [], None, 0
        while True:
            part = differences_within(database, *both, after=after, limit=limit, seconds_max=seconds)
            found += part.found
            after, steps = part.reached, steps + 1
            if after is None:
                break
        assert found == everything
        assert steps > 2
    whole = differences_within(database, *both, limit=100, seconds_max=60.0)
    assert (whole.found, whole.reached) == (everything, None)


def test_a_version_s_own_bytes_are_those_that_deleting_it_frees(history: History) -> None:
    history.commit(RAW, {"a": b"1", "b": b"22", "c": b"333"})
    history.commit(RAW, {"b": b"4444"}, base=0)

    for version in (0, 1):
        own = own_bytes(history.database, RAW, version, seconds_max=60.0)
        assert own == OwnBytes(reclaimable_bytes(history.database, RAW, [version]), True)
    assert own_bytes(history.database, RAW, 1, seconds_max=60.0).size_bytes == 4
    assert not own_bytes(history.database, RAW, 1, seconds_max=0.0).complete
