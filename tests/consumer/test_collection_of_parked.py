"""Collecting beside a dead letter: what waits behind it may name objects, and counts as of when it was written."""

from headwater_eventlog.port import NewRecord
from headwater_schemas import keys
from headwater_schemas.events import DeadLetterResolved
from headwater_schemas.positions import Position

from tests.consumer.collected_store import Store, packs
from tests.consumer.collected_store import store as store
from tests.consumer.events import DIGITS, MODEL, PROJECT
from tests.consumer.inspection import listing_of, rejections_of
from tests.support.history import UNDECODABLE, pack_of

KEY = keys.collection_key(DIGITS)


def _damage(store: Store, key: str = KEY) -> Position:
    (at,) = store.history.log.append([NewRecord(key, UNDECODABLE)], timeout_s=5)
    store.history.project()
    return at


def test_nothing_of_a_project_is_deleted_while_events_that_may_name_it_are_parked(store: Store) -> None:
    store.store(1, 2)
    at = _damage(store)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)

    freed = store.collect()

    assert (freed.total.objects, freed.parked) == (0, {PROJECT: 2})
    assert store.stored() == packs(1, 2)
    skip = DeadLetterResolved(key=KEY, epoch=at.epoch, partition=at.partition, offset=at.offset, decision="skip")
    store.history.write(skip, by="operator")
    assert rejections_of(store.history.database) == []
    assert list(listing_of(store.history.database, DIGITS, 0)) == ["a"]
    store.collect()
    assert store.stored() == packs(1), "what waited needs its object, and nothing the other one"


def test_a_dead_letter_of_another_project_holds_nothing_up(store: Store) -> None:
    store.store(1)
    _damage(store, keys.collection_key("team/other/digits"))

    store.collect()

    assert store.stored() == set()


def test_packs_are_not_rewritten_while_events_that_may_name_them_are_parked(store: Store) -> None:
    staged = store.blobs.stage_pack([b"1", b"22"], project=PROJECT)
    store.blobs.publish(staged, pack_of(PROJECT, 1))
    store.blobs.discard(staged)
    for content in ({"a": b"1"}, {"b": b"22"}):
        store.history.commit(DIGITS, content, pack=1)
    store.delete(1)
    _damage(store, keys.collection_key(MODEL))

    freed = store.collect()

    assert (freed.total.objects, freed.parked) == (0, {PROJECT: 1})
    assert store.stored() == packs(1)
