"""Which objects are needed: by what remains, and by nothing else."""

import pytest
from headwater_consumer.queries import needed_objects as module
from headwater_consumer.queries.holders import Holders
from headwater_consumer.queries.needed_objects import needed_objects, needed_ranges, successors, unnamed_objects
from headwater_schemas.errors import Reason
from headwater_schemas.events import BlobsCondemned, BlobsMoved, DraftDiscarded, Move, VersionDeleted

from tests.consumer.events import DIGITS, MODEL, PROJECT, SHARED, added, committed, opened, purge_of
from tests.consumer.inspection import rejections_of
from tests.support.histories import BROADCAST
from tests.support.history import History, pack_of

PACKS = [pack_of(PROJECT, n) for n in range(8)]


@pytest.fixture(autouse=True, params=["large pages", "small pages"])
def page_sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "small pages":
        for name in ("OBJECTS_AT_ONCE", "ROWS_PER_PAGE", "LAYER_PATHS_MAX"):
            monkeypatch.setattr(module, name, 2)


def _needed(history: History) -> set[int]:
    """The numbers of the packs."""
    found = needed_objects(history.database, PACKS, Holders(PROJECT, (), restorable=True))
    ranges = needed_ranges(history.database, PACKS, Holders(PROJECT, (), restorable=True))
    assert found == {name for name, needed in ranges.items() if needed}
    return {PACKS.index(name) for name in found}


def _delete(history: History, version: int, *, purge: bool = True, collection: str = DIGITS) -> None:
    history.write(VersionDeleted(collection=collection, version=version, delete_aliases=True))
    if purge:
        history.write(purge_of(history, collection, version))


def test_an_object_is_needed_until_all_versions_that_show_its_content_are_purged(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, pack=1)
    history.commit(MODEL, {"a": b"1"}, pack=1)

    _delete(history, 0)
    both = _needed(history)
    _delete(history, 0, purge=False, collection=MODEL)
    restorable = _needed(history)
    history.write(purge_of(history, MODEL, 0))

    assert (both, restorable, _needed(history)) == ({1}, {1}, set())


def test_content_that_all_others_hide_needs_no_object(history: History) -> None:
    history.commit(DIGITS, {f"f{n}": b"%d" % n for n in range(40)}, pack=1)
    history.commit(DIGITS, {"a": b"a", "b": b"b"}, base=0, pack=2)
    history.commit(DIGITS, {"a": b"c"}, base=1, pack=3)
    history.commit(DIGITS, {"d": b"d"}, base=1, removed=["a", "b"], pack=4)

    assert _needed(history) == {1, 2, 3, 4}
    _delete(history, 1)
    assert _needed(history) == {1, 2, 3, 4}
    _delete(history, 2)
    assert _needed(history) == {1, 4}


def test_merged_layers_need_what_they_show(history: History) -> None:
    for n in range(7):
        history.commit(DIGITS, {"a": b"%d" % n, f"f{n}": b"x"}, base=n - 1 if n else None, pack=n)

    for n in range(6):
        _delete(history, n)

    ranges = needed_ranges(history.database, PACKS, Holders(PROJECT, (), restorable=True))
    assert _needed(history) == set(range(7))
    assert [len(ranges[name]) for name in PACKS] == [1, 1, 1, 1, 1, 1, 2, 0]


def test_an_open_draft_needs_its_own_content_and_all_of_a_base_that_is_purged(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, pack=1)
    history.write(opened(base=0), added(SHARED, {"a": b"2"}, pack=2), added(SHARED, {"a": b"3"}, pack=3))
    _delete(history, 0)

    assert _needed(history) == {1, 2, 3}
    history.write(committed(SHARED))
    assert _needed(history) == {3}


def test_a_discarded_draft_leaves_objects_that_nothing_names(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, pack=1)
    history.write(opened(), added(SHARED, {"a": b"2"}, pack=2))
    named = unnamed_objects(history.database, PACKS)

    history.write(DraftDiscarded(collection=DIGITS, draft=SHARED))

    assert _needed(history) == {1}
    assert unnamed_objects(history.database, PACKS) == named | {PACKS[2]}


def test_content_that_was_rewritten_needs_the_object_that_it_is_in_now(history: History) -> None:
    contents = {"a": b"11", "b": b"222"}
    history.commit(DIGITS, contents, pack=1)
    history.write(BlobsMoved(project=PROJECT, moves=(Move(PACKS[1], 0, 5, PACKS[2], 10),)))
    history.write(BlobsMoved(project=PROJECT, moves=(Move(PACKS[2], 12, 3, PACKS[3], 0),)))

    ranges = needed_ranges(history.database, PACKS, Holders(PROJECT, (), restorable=True))

    assert _needed(history) == {2, 3}
    assert {name: list(found) for name, found in ranges.items() if found} == {PACKS[2]: [(10, 2)], PACKS[3]: [(0, 3)]}
    assert successors(history.database, [PACKS[1]]) == {PACKS[1], PACKS[2], PACKS[3]}
    assert unnamed_objects(history.database, PACKS) == {PACKS[n] for n in (0, 4, 5, 6, 7)}
    _delete(history, 0)
    assert _needed(history) == set()


def test_nothing_moves_into_an_object_that_is_condemned(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, pack=1)
    history.write(BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(PACKS[2],)))

    history.write(BlobsMoved(project=PROJECT, moves=(Move(PACKS[1], 0, 1, PACKS[2], 0),)))

    assert rejections_of(history.database) == [Reason.BLOB_CONDEMNED]
    assert _needed(history) == {1}
