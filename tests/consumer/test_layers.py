"""How versions are laid over each other, and that their chains stay short."""

from pathlib import Path

import pytest
from headwater_consumer.layers.stored import SEEKS_MAX, StoredLayerStack
from headwater_consumer.projector.merging import chain_length_max
from headwater_schemas.events import VersionDeleted

from tests.consumer.events import DIGITS, SHARED, committed, opened, paths
from tests.consumer.inspection import digest_of, listing_of, rows_of, versions_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database

VERSIONS = 1_000
CHAIN_MAX = 8  # three quarters of log2 of the entries and one


def _chains(history: History) -> list[int]:
    return [len(layers.split(",")) for (layers,) in rows_of(history.database, "SELECT layers FROM versions")]


def test_the_topmost_layer_that_names_a_path_counts(history: History) -> None:
    history.commit(DIGITS, {f"f{n}": b"0" for n in range(20)})
    history.commit(DIGITS, {f"f{n}": b"11" for n in range(5)}, base=0)
    history.commit(DIGITS, {"f0": b"222"}, base=1)
    history.commit(DIGITS, {"f0": b"3333"}, base=2, removed=["f1"])

    sizes = [listing_of(history.database, DIGITS, n)["f0"][1] for n in range(4)]
    assert sizes == [1, 2, 3, 4]
    for number, digest in versions_of(history.database, DIGITS):
        assert digest_of(listing_of(history.database, DIGITS, number)) == digest


def test_a_removal_hides_what_is_below_as_long_as_there_is_something(history: History) -> None:
    history.commit(DIGITS, {f"f{n}": b"0" for n in range(100)})

    history.commit(DIGITS, base=0, removed=["f0"])
    for base in range(1, chain_length_max(100)):
        history.commit(DIGITS, {f"new{base}": b"1"}, base=base)

    assert _chains(history)[-1] == 2, "all but the first were merged"
    assert "f0" not in paths(history, chain_length_max(100))
    assert rows_of(history.database, "SELECT count(*) FROM entries WHERE kind = 2 AND path = 'f0'") == [(2,)]


def test_marks_of_removal_are_not_kept_where_nothing_is_below(history: History) -> None:
    history.commit(DIGITS, {"a": b"1", "b": b"1"})

    history.commit(DIGITS, {"c": b"1"}, base=0, removed=["a"])

    assert paths(history, 1) == {"b", "c"}
    assert rows_of(history.database, "SELECT count(*) FROM entries WHERE kind = 2") == [(0,)]


def test_a_draft_that_brings_nothing_leaves_no_layer(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(opened(base=0))
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True), committed(SHARED))
    history.commit(DIGITS)

    first, same, empty = rows_of(history.database, "SELECT layers FROM versions ORDER BY version")
    assert (same, empty) == (first, ("",))
    assert len(rows_of(history.database, "SELECT layer FROM layers")) == 1
    assert [paths(history, number) for number in range(3)] == [{"a"}, {"a"}, set()]


@pytest.mark.parametrize("names", [3, 3 * SEEKS_MAX], ids=["sought one by one", "asked for at once"])
def test_only_what_has_an_entry_under_it_may_be_a_folder(history: History, names: int) -> None:
    """Whatever else were named would cost a query each."""
    even = {f"{number:03}" for number in range(0, names, 2)}
    history.commit(DIGITS, {f"{name}/x": b"1" for name in even} | {"001": b"a file"})
    ((layer,),) = rows_of(history.database, "SELECT layer FROM layers")

    with history.database.snapshot() as connection:
        stack = StoredLayerStack(history.database.adapter, connection, [layer])
        assert stack.possible_folders({f"{number:03}" for number in range(names)}) == even
        assert stack.possible_folders({"000/x", "00", "1"}) == set()


def test_chains_stay_logarithmic_and_old_versions_stay_what_they_are(mode: str, tmp_path: Path) -> None:
    history = History(MemoryLog(), open_database(mode, tmp_path / "projection.db"))
    for n in range(VERSIONS):
        draft, events = history.draft(DIGITS, {f"f{n}": b"1"}, base=n - 1 if n else None)
        history.writer().write(*events, committed(draft))

    history.project()

    assert max(_chains(history)) <= CHAIN_MAX
    for n in (0, 1, 499, VERSIONS - 1):
        assert paths(history, n) == {f"f{i}" for i in range(n + 1)}
    history.close()


def test_chains_stay_logarithmic_where_each_change_is_smaller_than_the_last(mode: str, tmp_path: Path) -> None:
    history = History(MemoryLog(), open_database(mode, tmp_path / "projection.db"))
    sizes = range(40, 0, -1)
    for n, size in enumerate(sizes):
        draft, events = history.draft(DIGITS, {f"{n}-{i}": b"1" for i in range(size)}, base=n - 1 if n else None)
        history.writer().write(*events, committed(draft))

    history.project()

    assert max(_chains(history)) <= CHAIN_MAX
    assert rows_of(history.database, "SELECT max(entry_count) FROM versions") == [(sum(sizes),)]
    history.close()
