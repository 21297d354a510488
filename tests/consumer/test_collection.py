"""Collecting: all that something needs stays, and everything else goes."""

import uuid
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from headwater_blobs.file_places import FolderPlace
from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.database import Database
from headwater_consumer.maintenance.collection import Collector
from headwater_eventlog.port import EventLog, NewRecord, RecordsGone
from headwater_producer.producer import Producer
from headwater_schemas.errors import Reason, StoreUnavailable
from headwater_schemas.events import (
    BlobsCondemned,
    DraftDiscarded,
    VersionCommitted,
    VersionRestored,
    shared_draft,
)
from headwater_schemas.positions import Cut
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.consumer.collected_store import ANY_AGE_S, PACK_BYTES, Store, contents_of_drafts, packs
from tests.consumer.collected_store import small_pages as small_pages
from tests.consumer.collected_store import store as store
from tests.consumer.events import DIGITS, MODEL, PROJECT, SHARED, added, committed, opened
from tests.consumer.inspection import Databases, fingerprint_of, listing_of, rejections_of, rows_of
from tests.support.history import UNDECODABLE, History, pack_of
from tests.support.memory_log import START_US, MemoryLog
from tests.support.restoring import restore

# --- what goes and what stays -------------------------------------------------------------------------------------


def test_the_content_of_a_deleted_version_goes_once_it_cannot_be_restored(store: Store) -> None:
    store.store(1, 2)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.history.commit(DIGITS, {"a": b"2"}, pack=2)
    store.delete(0)
    log = store.history.log
    assert isinstance(log, MemoryLog)

    before = store.collect(now_us=log.time_us - 10_000)
    kept = store.stored()
    freed = store.collect()

    assert (before.purged, before.total.objects, before.restorable[PROJECT].versions) == (0, 0, 1)
    assert before.restorable[PROJECT].sum.size_bytes == PACK_BYTES
    assert kept == packs(1, 2)
    assert (freed.purged, freed.total.size_bytes, freed.restorable) == (1, PACK_BYTES, {})
    assert {owner: found.size_bytes for owner, found in freed.owners.items()} == {DIGITS: PACK_BYTES}
    assert store.stored() == packs(2)
    assert store.collect().total.objects == 0


def test_what_is_restored_in_time_stays(store: Store) -> None:
    store.store(1)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.delete(0)
    store.history.write(VersionRestored(collection=DIGITS, version=0))

    store.collect()

    assert store.stored() == packs(1)
    assert rejections_of(store.history.database) == []


def test_what_others_hide_goes_and_what_one_of_them_shows_stays(store: Store) -> None:
    store.store(*range(1, 5))
    store.history.commit(DIGITS, {f"f{n}": b"%d" % n for n in range(40)}, pack=1)
    store.history.commit(DIGITS, {"a": b"a"}, base=0, pack=2)
    store.history.commit(DIGITS, {"a": b"b"}, base=1, pack=3)
    store.history.commit(DIGITS, {"c": b"c"}, base=1, pack=4)
    store.delete(1)

    store.collect()
    while_shown = store.stored()
    store.delete(3)
    store.collect()

    assert while_shown == packs(1, 2, 3, 4)
    assert store.stored() == packs(1, 3)


def test_what_an_open_draft_needs_of_a_purged_version_goes_when_the_draft_is_closed(store: Store) -> None:
    store.store(1, 2, 3)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.history.commit(DIGITS, {"b": b"1"}, pack=2)
    other = shared_draft("reuses")
    store.history.write(opened(base=0), added(SHARED, {"a": b"3"}, pack=3))
    store.history.write(opened(other), added(other, {"x": b"1"}, pack=2))
    store.delete(0, 1)

    store.collect()
    while_open = store.stored()
    store.history.write(committed(SHARED), DraftDiscarded(collection=DIGITS, draft=other))
    store.collect()

    assert while_open == packs(1, 2, 3)
    assert store.stored() == packs(3)


def test_what_nothing_names_goes_after_the_grace_period(store: Store) -> None:
    store.store(1, 2)
    store.history.write(opened(), added(SHARED, {"a": b"1"}, pack=2))
    store.history.write(DraftDiscarded(collection=DIGITS, draft=SHARED))

    recent = store.collect(grace_s=0.0)
    kept = store.stored()
    freed = store.collect()

    assert (recent.total.objects, recent.recent.size_bytes) == (0, 2 * PACK_BYTES)
    assert kept == packs(1, 2)
    assert freed.kinds["unnamed_objects"].as_json() == {"objects": 2, "bytes": 2 * PACK_BYTES}
    assert {owner: found.objects for owner, found in freed.owners.items()} == {PROJECT: 2}
    assert store.stored() == set()


@pytest.mark.usefixtures("small_pages")
def test_objects_of_several_pages_are_deleted_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket takes as long to delete one as to delete a thousand."""
    count = 8
    store.store(*range(count))
    for pack in range(count):
        store.history.commit(DIGITS, {"a": b"%d" % pack}, pack=pack)
    store.delete(*range(0, count, 2))  # one on each page of two
    delete, asked = store.blobs.delete, []
    monkeypatch.setattr(store.blobs, "delete", lambda names: (asked.append(list(names)), delete(asked[-1])))

    store.collect()

    assert store.stored() == packs(*range(1, count, 2))
    assert [len(names) for names in asked if names] == [2, 2]


# --- beside others ------------------------------------------------------------------------------------------------


def test_who_names_an_object_before_it_is_condemned_there_keeps_it(store: Store) -> None:
    """Condemned in one partition when the writer's events reach another: it was named in time, so it stays."""
    store.store(1)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.delete(0)
    named: list[int] = []

    def catch_up(cut: Cut | None) -> None:
        store.history.project()
        if rows_of(store.history.database, "SELECT 1 FROM condemned_objects") and not named:
            named.append(1)

    collector = store.collector()
    condemn = collector._condemn

    def condemn_late(producer: Producer, names: Sequence[str]) -> None:
        if names and not named:
            named.append(1)
            store.history.commit(MODEL, {"m": b"1"}, pack=1)
        condemn(producer, names)

    collector._condemn = condemn_late  # type: ignore[method-assign]
    collector.collect(store.producer(), catch_up)

    assert named
    assert rejections_of(store.history.database) == []
    assert store.stored() == packs(1)
    store.delete(0, collection=MODEL)
    store.collect()
    assert store.stored() == set()


def test_who_names_an_object_after_it_was_condemned_is_refused(store: Store) -> None:
    store.store(1)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.delete(0)
    store.collect()

    store.history.commit(DIGITS, {"b": b"1"}, pack=1)

    assert Reason.BLOB_CONDEMNED in rejections_of(store.history.database)
    assert listing_of(store.history.database, DIGITS, 1) == {}


def test_nothing_is_deleted_before_every_partition_has_judged_the_condemnation(store: Store) -> None:
    store.store(1)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.delete(0)
    calls = count()

    def stopped(cut: Cut | None) -> None:
        if next(calls) >= 2:  # what was purged is judged, and what was condemned is not
            raise StoreUnavailable("partition 1 is behind")
        store.history.project()

    with pytest.raises(StoreUnavailable):
        store.collector().collect(store.producer(), stopped)

    assert store.stored() == packs(1)
    store.history.project()
    assert store.collect().total.objects == 1
    assert store.stored() == set()


def test_what_another_collection_condemns_at_this_moment_is_waited_for(store: Store) -> None:
    store.store(1, 2)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.history.commit(DIGITS, {"b": b"1"}, pack=2)
    store.delete(0)
    calls = count()

    def beside_another(cut: Cut | None) -> None:
        store.history.project()
        if next(calls) == 2:  # the objects are looked at next
            other = store.producer()
            other.send([BlobsCondemned(broadcast="0" * 32, project=PROJECT, objects=tuple(packs(2)))])
            other.confirm()
            store.history.projector.project_batch(0)  # one partition of three

    freed = store.collector().collect(store.producer(), beside_another)

    assert (freed.total.objects, freed.unfinished) == (1, 0)
    assert store.stored() == packs(2)  # a version needs it


def test_a_dead_letter_before_a_condemnation_holds_deleting_up(store: Store) -> None:
    store.store(1)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.delete(0)
    key = BlobsCondemned(broadcast="0" * 32, project=PROJECT, objects=()).key
    store.history.log.append([NewRecord(key, UNDECODABLE, (), 1)], timeout_s=5)
    store.history.project()

    freed = store.collector().collect(store.producer(), store.catch_up)

    assert (freed.total.objects, freed.unfinished) == (0, 1)
    assert store.stored() == packs(1)


def test_a_broadcast_that_a_killed_collection_left_is_finished_by_the_next(store: Store) -> None:
    store.store(1)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.delete(0)
    collector = store.collector()
    collector._blobs = _NoDeletes(store.blobs)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        collector.collect(store.producer(), store.catch_up)
    killed = BlobsCondemned(broadcast=uuid.uuid4().hex, project=PROJECT, objects=(pack_of(PROJECT, 2),))
    record = store.history.writer("killed").stamp(killed)
    store.history.log.append([NewRecord(record.key, record.payload, record.headers, 2)], timeout_s=5)
    store.store(2)
    store.history.project()

    store.collect()

    assert store.stored() == set()
    ((partitions,),) = rows_of(
        store.history.database, "SELECT count(*) FROM condemned_objects WHERE object_name = ?", pack_of(PROJECT, 2)
    )
    assert partitions == 3


class _NoDeletes:
    def __init__(self, blobs: FolderBlobStore) -> None:
        self._blobs = blobs

    def __getattr__(self, name: str) -> object:
        return getattr(self._blobs, name)

    def delete(self, names: object) -> None:
        raise KeyboardInterrupt


def test_a_replay_decides_the_same(store: Store, tmp_path: Path) -> None:
    store.store(1, 2, 3)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.history.commit(DIGITS, {"a": b"2"}, pack=2)
    store.delete(0)
    store.collect()
    store.history.commit(DIGITS, {"b": b"1"}, pack=1)

    again = Database.open_sqlite(tmp_path / "again.db")
    History(store.history.log, again).project()

    assert fingerprint_of(again) == fingerprint_of(store.history.database)
    again.close()


# --- another log ---------------------------------------------------------------------------------------------------


def _copy_of(log: EventLog, *, without: int = 0) -> MemoryLog:
    """An older copy: it lacks the last records of one partition."""
    copy = MemoryLog(log.partitions, log.generation)
    records = [record for p in range(log.partitions) for record in log.read(p, after=-1, limit=1000)]
    kept = sorted(records, key=lambda record: record.time_us)
    for record in kept[: len(kept) - without]:
        copy.append([NewRecord(record.key, record.payload, record.headers, record.position.partition)])
    return copy


def _collector_of(store: Store, log: EventLog, tmp_path: Path, *, after_loss: bool = False) -> Collector:
    """By a projection that was rebuilt from the log."""
    database = Database.open_sqlite(tmp_path / f"{uuid.uuid4().hex}.db")
    History(log, database).project()
    return Collector(
        database,
        log,
        store.blobs,
        FolderPlace(store.folder / "gc"),
        now_us=2 * START_US,
        grace_s=ANY_AGE_S,
        progress=lambda done, total: None,
        after_loss=after_loss,
    )


def test_an_older_copy_of_the_log_is_refused_until_its_loss_is_accepted(store: Store, tmp_path: Path) -> None:
    store.store(1, 2)
    store.history.commit(DIGITS, {"a": b"1"}, pack=1)
    store.history.commit(MODEL, {"a": b"2"}, pack=2)
    store.collect()
    older = _copy_of(store.history.log, without=3)

    with pytest.raises(RecordsGone, match=r"ends before offset .*--after-loss"):
        _collector_of(store, older, tmp_path)
    older.append([NewRecord("run:a/b/c", b"other", (), n % 3) for n in range(9)])
    with pytest.raises(RecordsGone, match=r"has another record at offset .*--after-loss"):
        _collector_of(store, older, tmp_path)

    assert store.stored() == packs(1, 2)
    assert _collector_of(store, _copy_of(store.history.log), tmp_path).preview().total.objects == 0
    assert _collector_of(store, older, tmp_path, after_loss=True).preview().total.objects == 1


def test_a_log_that_was_restored_is_refused_where_it_lacks_what_was_seen(store: Store, tmp_path: Path) -> None:
    store.store(1)
    for n in range(5):
        store.history.commit(DIGITS, {"a": b"%d" % n}, pack=1)
    store.collect()
    all_of_it, less = store.history.log, _copy_of(store.history.log, without=1)

    restored = [
        MemoryLog(3, f"restored {n}", ancestors=(all_of_it.generation,), start_us=2 * START_US) for n in range(2)
    ]
    for old, new in zip((all_of_it, less), restored, strict=True):
        restore(old, new, timeout_s=0)

    assert _collector_of(store, restored[0], tmp_path).preview().total.objects == 0
    with pytest.raises(RecordsGone, match=r"not restored.*--after-loss"):
        _collector_of(store, restored[1], tmp_path)
    with pytest.raises(RecordsGone, match=r"and this is log another"):
        _collector_of(store, MemoryLog(3, "another"), tmp_path)


# --- any history --------------------------------------------------------------------------------------------------

DEEDS = ("commit", "commit", "delete", "delete", "restore", "open", "add", "seal", "drop")


@pytest.mark.usefixtures("small_pages")
@settings(deadline=None)
@given(data=st.data())
def test_what_is_reachable_stays_and_everything_else_goes(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    with databases.empty() as database:
        store = Store(History(MemoryLog(2), database), tmp_path_factory.mktemp("store"))
        made = count(1)
        for _ in range(data.draw(st.integers(1, 3))):
            for _ in range(data.draw(st.integers(1, 6))):
                _do_something(store, data, made)
            store.collect()

            assert store.stored() == _reachable(database)
        store.blobs.close()


def _do_something(store: Store, data: st.DataObject, made: "count[int]") -> None:
    history, pack = store.history, next(made)
    store.store(pack)
    if data.draw(st.booleans()) and store.stored():  # content that is there, as the projection suggests
        pack = int(data.draw(st.sampled_from(sorted(store.stored()))).rpartition("/")[2], 16)
    versions = [version for (version,) in rows_of(history.database, "SELECT version FROM versions ORDER BY version")]
    base = data.draw(st.sampled_from([None, *versions]))
    gone = data.draw(st.lists(st.sampled_from("abcdefg"), unique=True, max_size=2))
    draft = shared_draft(data.draw(st.sampled_from("xy")))
    match data.draw(
        st.sampled_from(("commit", "commit", "delete", "delete", "restore", "open", "add", "seal", "drop"))
    ):
        case "commit":
            history.commit(DIGITS, data.draw(contents_of_drafts), base=base, removed=gone, pack=pack)
        case "delete" if versions:
            store.delete(data.draw(st.sampled_from(versions)))
        case "restore" if versions:
            history.write(VersionRestored(collection=DIGITS, version=data.draw(st.sampled_from(versions))))
        case "open":
            history.write(opened(draft, base=base))
        case "add":
            contents = data.draw(contents_of_drafts)
            history.write(added(draft, contents, pack=pack) if contents else opened(draft))
        case "seal":
            history.write(VersionCommitted(collection=DIGITS, draft=draft))
        case "drop":
            history.write(DraftDiscarded(collection=DIGITS, draft=draft))


def _reachable(database: Database) -> set[str]:
    """By the listings of all versions that are not purged, and by all that open drafts have and start from."""
    purged = {v for (v,) in rows_of(database, "SELECT version FROM version_attributes WHERE field = 'purged'")}
    versions = {v for (v,) in rows_of(database, "SELECT version FROM versions")} - purged
    drafts = rows_of(database, "SELECT layer, base FROM drafts WHERE closed_position IS NULL")
    versions |= {base for _, base in drafts if base is not None}
    found = {entry[3] for version in versions for entry in listing_of(database, DIGITS, version).values()}
    for layer, _ in drafts:
        found |= {name for (name,) in rows_of(database, "SELECT object_name FROM entries WHERE layer = ?", layer)}
    return {name for name in found if isinstance(name, str)}
