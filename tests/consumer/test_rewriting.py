"""Packs of which a part is dead: what is needed of them is stored anew, and they go."""

from itertools import count
from typing import Any

import pytest
from headwater_consumer import queries
from headwater_consumer.maintenance.rewriting import LIVE_PER_DEAD_MAX
from headwater_consumer.queries.holders import Holders
from headwater_consumer.queries.needed_objects import needed_ranges
from headwater_schemas.entries import BlobLocation
from headwater_schemas.events import BlobsMoved, Move
from headwater_schemas.positions import Cut
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.consumer.collected_store import Store, contents_of_drafts, packs
from tests.consumer.collected_store import small_pages as small_pages
from tests.consumer.collected_store import store as store
from tests.consumer.events import DIGITS, PROJECT
from tests.consumer.inspection import Databases, rows_of
from tests.support.history import History, pack_of
from tests.support.memory_log import MemoryLog


def _store_pack(store: Store, pack: int, contents: dict[str, bytes]) -> None:
    """With the bytes that entries name."""
    staged = store.blobs.stage_pack(list(contents.values()), project=PROJECT)
    store.blobs.publish(staged, pack_of(PROJECT, pack))
    store.blobs.discard(staged)


def _read_all(store: Store, version: int) -> dict[str, bytes]:
    info = queries.version_info(store.history.database, DIGITS, version)
    assert info is not None
    entries = [entry for page in queries.all_entries(store.history.database, info.layers) for entry in page]
    found: dict[str, bytes] = {}
    for entry in entries:
        assert entry.object_name is not None
        assert entry.object_offset is not None
        assert entry.size is not None
        assert entry.digest is not None
        place = BlobLocation(entry.object_name, entry.object_offset, entry.size)
        found[entry.path] = store.blobs.read(place, entry.digest)
    return found


def _log(store: Store, pack: int, contents: dict[str, bytes], **options: Any) -> None:
    _store_pack(store, pack, contents)
    store.history.commit(DIGITS, contents, pack=pack, **options)


def test_packs_of_which_a_part_is_dead_are_rewritten_into_one(store: Store) -> None:
    first = {f"a{n}": b"a%03d" % n * 25 for n in range(10)}
    other = {f"b{n}": b"b%03d" % n * 25 for n in range(10)}
    _log(store, 1, first)
    _log(store, 2, other, base=0)
    _log(store, 3, {"a0": b"0" * 10}, base=1, removed=[f"a{n}" for n in range(1, 6)] + [f"b{n}" for n in range(7)])
    shown = _read_all(store, 2)
    store.delete(0, 1)

    freed = store.collect()

    assert freed.kinds["rewritten_packs"].as_json() == {"objects": 2, "bytes": 600 + 700}
    assert freed.owners[DIGITS].size_bytes == 1300
    assert len(store.stored() - packs(3)) == 1
    assert not store.stored() & packs(1, 2)
    assert sum(found.size for found in store.blobs.list_objects()) == 10 + 400 + 300
    assert _read_all(store, 2) == shown
    assert store.collect().total.objects == 0


@pytest.mark.parametrize(("dead", "rewritten"), [(1, 0), (2, 1)])
def test_a_pack_stays_while_less_is_dead_than_a_tenth_of_what_is_needed_of_it(
    store: Store, dead: int, rewritten: int
) -> None:
    _log(store, 1, {f"a{n:02}": b"a%03d" % n for n in range(20)})
    _log(store, 2, {"b": b"b"}, base=0, removed=[f"a{n:02}" for n in range(dead)])
    store.delete(0)

    assert store.collect().kinds["rewritten_packs"].objects == rewritten
    assert (store.stored() >= packs(1, 2)) == (not rewritten)


def test_neighbours_move_together(store: Store) -> None:
    """So that a rewrite takes room on the log for what is dead, not for what is needed."""
    _log(store, 1, {f"a{n:02}": b"a%03d" % n for n in range(20)})
    store.history.commit(DIGITS, {}, base=0, removed=["a07", "a15"])
    store.delete(0)
    shown = _read_all(store, 1)

    store.collect()

    moves = rows_of(store.history.database, "SELECT object_offset, length, to_object_offset FROM relocated_ranges")
    assert sorted(moves) == [(0, 28, 0), (32, 28, 28), (64, 16, 56)]
    assert _read_all(store, 1) == shown


def test_a_damaged_object_goes_once_all_its_content_is_stored_anew(store: Store) -> None:
    _log(store, 1, {"a": b"1", "b": b"22"})
    _store_pack(store, 2, {"a": b"1"})
    store.history.write(BlobsMoved(project=PROJECT, moves=(Move(pack_of(PROJECT, 1), 0, 1, pack_of(PROJECT, 2), 0),)))
    kept = store.collect()
    _store_pack(store, 3, {"b": b"22"})
    store.history.write(BlobsMoved(project=PROJECT, moves=(Move(pack_of(PROJECT, 1), 1, 2, pack_of(PROJECT, 3), 0),)))

    freed = store.collect()

    assert (kept.total.objects, freed.total.as_json()) == (0, {"objects": 1, "bytes": 3})
    assert store.stored() == packs(2, 3)
    assert _read_all(store, 0) == {"a": b"1", "b": b"22"}


def test_content_that_was_rewritten_again_and_again_is_found_and_goes_at_last(store: Store) -> None:
    _log(store, 0, {f"a{n}": b"%032d" % n for n in range(64)})
    for version in range(6):
        left = 64 >> (version + 1)
        store.history.commit(DIGITS, {}, base=version, removed=[f"a{n}" for n in range(left, 2 * left)])
        store.delete(version)
        assert store.collect().kinds["rewritten_packs"].size_bytes == 32 * left

    assert _read_all(store, 6) == {"a0": b"%032d" % 0}
    assert len(store.stored()) == 1
    store.delete(6)
    store.collect()
    assert store.stored() == set()


def test_what_cannot_be_read_is_not_rewritten(store: Store) -> None:
    contents = {f"a{n}": b"a%03d" % n for n in range(10)}
    _store_pack(store, 1, {"all": bytes(40)})
    store.history.commit(DIGITS, contents, pack=1)
    store.history.commit(DIGITS, {}, base=0, removed=[f"a{n}" for n in range(8)])
    store.delete(0)

    assert store.collector().collect(store.producer(), store.catch_up).total.objects == 0
    assert store.stored() == packs(1)


def test_two_collections_that_rewrite_one_pack_keep_one_copy(store: Store) -> None:
    _log(store, 1, {f"a{n}": b"a%03d" % n for n in range(10)})
    store.history.commit(DIGITS, {}, base=0, removed=[f"a{n}" for n in range(8)])
    store.delete(0)
    first, second = store.collector(), store.collector()
    paused = count()

    def catch_up(cut: Cut | None) -> None:
        store.history.project()
        if next(paused) == 2:  # the first has rewritten it, and has not condemned the old one
            second.collect(store.producer(), store.catch_up)

    first.collect(store.producer(), catch_up)

    assert len(store.stored()) == 1
    assert _read_all(store, 1) == {f"a{n}": b"a%03d" % n for n in (8, 9)}


@pytest.mark.usefixtures("small_pages")
@settings(deadline=None)
@given(data=st.data())
def test_whatever_is_rewritten_all_that_can_be_reached_verifies_and_little_else_is_stored(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    with databases.empty() as database:
        store = Store(History(MemoryLog(2), database), tmp_path_factory.mktemp("store"))
        for pack in range(data.draw(st.integers(1, 8))):
            versions = [version for (version,) in rows_of(database, "SELECT version FROM versions ORDER BY version")]
            base = data.draw(st.sampled_from([None, *versions]))
            gone = data.draw(st.lists(st.sampled_from("abcdefg"), unique=True, max_size=5))
            contents = data.draw(contents_of_drafts)
            _log(
                store,
                pack,
                {path: content * 50 for path, content in contents.items()} or {"a": b""},
                base=base,
                removed=gone,
            )
            if data.draw(st.booleans()):
                store.delete(data.draw(st.sampled_from([*versions, 0])))
                store.collect()

        store.collect()

        purged = {v for (v,) in rows_of(database, "SELECT version FROM version_attributes WHERE field = 'purged'")}
        for (version,) in rows_of(database, "SELECT version FROM versions"):
            if version not in purged:
                _read_all(store, version)
        for found in store.blobs.list_objects():
            live = needed_ranges(database, [found.name], Holders(PROJECT, (), restorable=True))[found.name]
            needed = sum(size for _, size in live)
            assert needed > LIVE_PER_DEAD_MAX * (found.size - needed) or found.size == 0
        store.blobs.close()
