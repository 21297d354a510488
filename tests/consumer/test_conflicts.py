"""What cannot be beside what: paths that would be file and folder at once, or that look alike."""

import unicodedata
from collections.abc import Mapping

import pytest
from headwater_consumer import queries
from headwater_consumer.layers import stored
from headwater_consumer.queries import entries as entries_module
from headwater_consumer.writing.runner import Projector
from headwater_schemas.errors import Reason
from headwater_schemas.events import EntryAdded, EntryRemoved, Event, own_draft
from headwater_schemas.paths import folders_of
from hypothesis import given
from hypothesis import strategies as st

from tests.consumer.events import DIGITS, PROJECT, SHARED, added, committed, opened, paths
from tests.consumer.inspection import Databases, rejections_of, rows_of
from tests.support.history import History, digest_of, files_of
from tests.support.memory_log import MemoryLog
from tests.support.projections import project_all

COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"


def _layers(history: History, version: int) -> tuple[int, ...]:
    info = queries.version_info(history.database, DIGITS, version)
    assert info is not None
    return info.layers


def _conflict(history: History, version: int, *wanted: str, **taken_out: list[str]) -> tuple[str, str] | None:
    return queries.path_conflict(history.database, _layers(history, version), wanted, **taken_out)


# --- asked of a version -------------------------------------------------------------------------------------------


def test_a_path_conflicts_with_a_file_where_it_needs_a_folder_and_the_other_way_round(history: History) -> None:
    history.commit(DIGITS, {"a": b"1", "d/x/y": b"2", "a-b": b"3", "d0": b"4"})

    assert _conflict(history, 0, "new", "a/b/c") == ("a/b/c", "a")
    assert _conflict(history, 0, "new", "d") == ("d", "d/x/y")
    assert _conflict(history, 0, "d/x") == ("d/x", "d/x/y")
    assert _conflict(history, 0, "new", "a", "d/z", "d/x/z", "a-b", "d-0", "b/a") is None


@pytest.mark.parametrize(("there", "wanted"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_a_path_conflicts_with_what_looks_like_it(history: History, there: str, wanted: str) -> None:
    history.commit(DIGITS, {f"{there}/a": b"1", f"x/{there}": b"2"})

    assert _conflict(history, 0, f"{there}/b") is None
    assert _conflict(history, 0, f"x/{wanted}") == (f"x/{wanted}", f"x/{there}")
    assert _conflict(history, 0, f"{wanted}/b") == (f"{wanted}/b", f"{there}/a")
    assert _conflict(history, 0, wanted) == (wanted, f"{there}/a")
    assert _conflict(history, 0, f"x/{wanted}/z") == (f"x/{wanted}/z", f"x/{there}")


def test_what_is_taken_out_at_the_same_time_is_in_nobodys_way(history: History) -> None:
    history.commit(DIGITS, {"a": b"1", "d/x": b"2", "d/y/z": b"3"})

    assert _conflict(history, 0, "a/b", without=["a"]) is None
    assert _conflict(history, 0, "d", without=["d/x"]) == ("d", "d/y/z")
    assert _conflict(history, 0, "d", without=["d/x"], without_folders=["d/y"]) is None
    assert _conflict(history, 0, "d/y", without_folders=["d"]) is None


def test_what_a_version_removed_is_in_nobodys_way(history: History) -> None:
    history.commit(DIGITS, {f"d/{n:04}": b"1" for n in range(1500)} | {"a": b"1"})
    history.commit(DIGITS, {"new": b"2"}, base=0, removed=["a", *[f"d/{n:04}" for n in range(1499)]])

    assert _conflict(history, 1, "a/b") is None
    assert _conflict(history, 1, "d") == ("d", "d/1499")
    assert queries.has_folder(history.database, _layers(history, 1), "d")

    history.commit(DIGITS, base=1, removed=["d/1499"])
    assert _conflict(history, 2, "d") is None
    assert not queries.has_folder(history.database, _layers(history, 2), "d")
    assert not queries.has_folder(history.database, (), "d")


_names = st.sampled_from(("a", "b", COMPOSED, DECOMPOSED))
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)


@given(data=st.data())
def test_conflicts_are_those_of_the_definition(databases: Databases, data: st.DataObject) -> None:
    with databases.empty() as database:
        log = MemoryLog()
        history = History(log, database)
        there: dict[str, bytes] = {}
        for version in range(data.draw(st.integers(1, 3))):
            wished = data.draw(st.lists(_paths, max_size=4))
            new = {path: b"%d" % version for path in wished if not _clash(path, there)}
            kept = {path: content for path, content in new.items() if not _clash(path, new)}
            gone = [path for path in there if path not in kept and data.draw(st.booleans())]
            history.commit(DIGITS, kept | {f"n{version}": b"n"}, base=version - 1 if version else None, removed=gone)
            there = {p: c for p, c in (there | kept | {f"n{version}": b"n"}).items() if p not in gone}
        wanted = data.draw(st.lists(_paths, max_size=5))

        found = _conflict(history, version, *wanted)

        clashing = [path for path in wanted if _clash(path, there)]
        assert (found is None) == (not clashing)
        if found is not None:
            assert found[0] == clashing[0]
            assert found[1] in _clash(found[0], there)


def _clash(path: str, there: Mapping[str, bytes]) -> list[str]:
    """By comparing with everything. In the paths drawn each letter is all composed or all decomposed."""

    def spelled(name: str) -> set[str]:
        return {name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)}

    names = {*folders_of(path), path}
    others = set().union(*[spelled(name) for name in names]) - names
    found = []
    for other in there:
        above = {*folders_of(other), other}
        if other in folders_of(path) or path in folders_of(other) or above & others:
            found.append(other)
    return found


def test_many_entries_are_found_at_once(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.commit(DIGITS, {f"f{n:03}": b"%d" % n for n in range(300)})
    history.commit(DIGITS, {"f001": b"new"}, base=0, removed=["f002"])
    monkeypatch.setattr(entries_module, "PATHS_PER_SNAPSHOT", 170)
    wanted = ["missing", *[f"f{n:03}" for n in range(299, -1, -1)]]

    found = queries.entries_of(history.database, _layers(history, 1), wanted)

    assert list(found) == [path for path in wanted if path not in ("missing", "f002")]
    assert found["f001"].digest == digest_of(b"new")
    assert all(found[path] == queries.entry(history.database, _layers(history, 1), path) for path in list(found)[:20])
    assert queries.entries_of(history.database, (), wanted) == {}


# --- in a shared draft --------------------------------------------------------------------------------------------


def _removed(*gone: str, folders: tuple[str, ...] = ()) -> EntryRemoved:
    return EntryRemoved(collection=DIGITS, draft=SHARED, paths=gone, folders=folders)


@pytest.mark.parametrize(
    ("before", "then"),
    [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b"), (COMPOSED, DECOMPOSED), (f"{DECOMPOSED}/x", f"{COMPOSED}/y")],
)
@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "two batches"])
def test_two_writers_cannot_make_a_path_file_and_folder_or_look_alike(
    history: History, before: str, then: str, at_once: bool
) -> None:
    history.writer("ada").write(opened(), added(SHARED, {before: b"1"}))
    if not at_once:
        history.project()
    history.write(added(SHARED, {then: b"2"}), by="bert")
    history.write(added(SHARED, {"other": b"2"}), by="bert")

    history.write(committed(SHARED))

    assert rejections_of(history.database) == [Reason.PATH_CONFLICT]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    assert repr(then) in message
    assert repr(before) in message
    assert paths(history, 0) == {before, "other"}


@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "two batches"])
def test_a_base_is_part_of_what_a_shared_draft_shows(history: History, at_once: bool) -> None:
    history.commit(DIGITS, {"a": b"1", "d/x": b"1", "keep/x": b"1"})
    events: list[Event] = [
        opened(base=0),
        added(SHARED, {"a/b": b"2"}),
        added(SHARED, {"d": b"2"}),
        _removed("a", folders=("d",)),
        added(SHARED, {"a/b": b"3"}),
        added(SHARED, {"d": b"3"}),
        added(SHARED, {"keep": b"3"}),
        committed(SHARED),
    ]

    for batch in [events] if at_once else [[event] for event in events]:
        history.write(*batch)

    assert rejections_of(history.database) == [Reason.PATH_CONFLICT] * 3
    assert paths(history, 1) == {"a/b", "d", "keep/x"}


def test_what_went_in_and_out_again_is_in_nobodys_way(history: History) -> None:
    history.write(
        opened(), added(SHARED, {"d/x": b"1"}), _removed("d/x"), added(SHARED, {"d": b"2"}), committed(SHARED)
    )

    assert rejections_of(history.database) == []
    assert paths(history, 0) == {"d"}


@pytest.mark.parametrize("records_per_batch", [1, 2, 7, 100])
def test_conflicts_do_not_depend_on_what_is_written_already(
    databases: Databases, records_per_batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "SEEKS_MAX", 2)
    monkeypatch.setattr("headwater_consumer.writing.layer_entries.ENTRIES_HELD_MAX", 30)
    log = MemoryLog()
    with databases.empty() as database:
        history = History(log, database)
        writer = history.writer("ada")
        writer.write(opened())
        for n in range(12):
            contents = {f"{m:02}/{n}": b"%d" % n for m in range(10)} | {f"f{n:02}": b"f"}
            writer.write(EntryAdded(collection=DIGITS, draft=SHARED, files=files_of(PROJECT, contents)))
            writer.write(added(SHARED, {f"{n:02}": b"conflicts while n < 10", f"g{n}": b"g"}))
        writer.write(committed(SHARED))

        project_all(log, Projector(log, database, records_per_batch=records_per_batch))

        assert rejections_of(database) == [Reason.PATH_CONFLICT] * 10
        assert len(paths(history, 0)) == 12 * 11 + 2 * 2


def test_an_own_draft_is_its_writers_to_check(history: History) -> None:
    draft, events = history.draft(DIGITS, {"a": b"1"})
    history.write(*events, added(draft, {"a/b": b"2"}), committed(draft))

    assert rejections_of(history.database) == []


@pytest.mark.parametrize("there", [{"b": b"1", "a/b": b"2"}, {"a": b"1"}], ids=["a folder", "a file"])
def test_a_base_that_was_sealed_in_the_same_batch_is_in_the_way_as_any_other(
    databases: Databases, there: dict[str, bytes]
) -> None:
    own, wanted = own_draft("1"), ({"a": b"3"} if "a/b" in there else {"a/b": b"3"})
    events = (opened(own), added(own, there), committed(own), opened(base=0), added(SHARED, wanted))

    with databases.empty() as database:
        history = History(MemoryLog(), database)
        history.writer().write(*events)
        history.project()

        assert rejections_of(database) == [Reason.PATH_CONFLICT]
