"""How much room versions take: what each added, and who still needs that."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import pytest
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import holders
from headwater_consumer.queries import usage as usage_module
from headwater_consumer.queries.usage import AddedBytes, VersionUsage, usages_within
from headwater_consumer.queries.usage_totals import UsageTotals
from headwater_schemas.entries import Reference
from headwater_schemas.events import VersionDeleted
from hypothesis import given
from hypothesis import strategies as st

from tests.consumer.events import DIGITS, MODEL, PROJECT, SHARED, added, committed, opened, purge_of
from tests.consumer.inspection import Databases, listing_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog

CONTENTS = P, Q, R, S, T = b"p", b"q" * 10, b"r" * 100, b"s" * 1000, b"t" * 10_000  # their sum says which
BOTH = DIGITS, MODEL


def _usages(database: Database, collection: str = DIGITS) -> list[VersionUsage]:
    return queries.version_usages(database, collection, limit=1000)


def _sum(added_bytes: Iterable[AddedBytes]) -> tuple[int, int]:
    found = list(added_bytes)
    return sum(one.needed for one in found), sum(one.reclaimable for one in found)


def _delete(history: History, version: int, collection: str = DIGITS) -> None:
    history.write(VersionDeleted(collection=collection, version=version, delete_aliases=True))


def test_each_version_has_what_it_added(history: History) -> None:
    history.commit(DIGITS, {"a": P, "b": Q, "again": P}, references=[Reference("r", "s3://x", size=5_000)])
    history.commit(DIGITS, {"a": S}, base=0)
    history.commit(DIGITS, {"x": P, "y": T})
    history.commit(MODEL, {"m": Q, "n": R})
    history.commit("team/other/digits", {"m": P})

    found = _usages(history.database)
    assert [(one.version, one.files, one.size_bytes) for one in found] == [(0, 4, 5012), (1, 4, 6011), (2, 2, 10_001)]
    assert [one.to_collection for one in found] == [AddedBytes(11, 0), AddedBytes(1000, 0), AddedBytes(10_000, 0)]
    assert [one.to_project for one in found] == [one.to_collection for one in found]
    (model,) = _usages(history.database, MODEL)
    assert (model.to_collection, model.to_project) == (AddedBytes(110, 0), AddedBytes(100, 0))
    assert _usages(history.database, "team/other/digits")[0].to_project == AddedBytes(1, 0)
    assert _usages(history.database, "team/other/nothing") == []


def test_what_only_deleted_versions_have_is_reclaimable(history: History) -> None:
    history.commit(DIGITS, {"a": P, "b": Q, "c": R})
    history.commit(DIGITS, {"a": S}, base=0)
    history.commit(MODEL, {"m": Q})
    for version in (0, 1):
        _delete(history, version)

    found = _usages(history.database)
    assert [one.deleted for one in found] == [True, True]
    assert [one.to_collection for one in found] == [AddedBytes(10, 101), AddedBytes(0, 1000)]


def test_what_was_given_up_with_a_purged_version_takes_no_room(history: History) -> None:
    history.commit(DIGITS, {"a": P, "b": Q, "c": R})
    history.commit(DIGITS, {"a": S, "c": R})
    history.commit(MODEL, {"m": Q})
    for version in (0, 1):
        _delete(history, version)

    history.write(purge_of(history, DIGITS, 0))

    assert [one.to_collection for one in _usages(history.database)] == [AddedBytes(10, 100), AddedBytes(0, 1000)]


def test_open_drafts_need_what_they_have_and_start_from(history: History) -> None:
    history.commit(DIGITS, {"a": P, "b": R})
    history.commit(DIGITS, {"a": S})
    history.write(opened(base=0), added(SHARED, {"z": S, "new": T}))
    for version in (0, 1):
        _delete(history, version)

    assert [one.to_collection for one in _usages(history.database)] == [AddedBytes(101, 0), AddedBytes(1000, 0)]


def test_a_version_without_a_layer_of_its_own_adds_nothing(history: History) -> None:
    history.commit(DIGITS, {"a": P})
    history.write(opened(base=0))
    _delete(history, 0)
    history.write(committed(SHARED))

    found = _usages(history.database)
    assert [one.deleted for one in found] == [True, False]
    assert [one.to_collection for one in found] == [AddedBytes(1, 0), AddedBytes(0, 0)]


def test_collections_are_listed_also_where_every_version_is_deleted(history: History) -> None:
    history.commit(DIGITS, {"a": P})
    history.commit(DIGITS, {"a": Q})
    history.commit(MODEL, {"m": Q})
    history.commit("team/vision2/digits", {"m": P})
    _delete(history, 0, MODEL)

    found = queries.numbered_collections(history.database, PROJECT)
    assert found == [(DIGITS, 2), (MODEL, 1)]
    assert queries.numbered_collections(history.database, PROJECT, limit=1) == found[:1]
    assert queries.numbered_collections(history.database, PROJECT, after=DIGITS) == found[1:]


def test_pages_go_on_where_they_ended(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        history.commit(DIGITS, {f"f{n}": b"%d" % (number * n) for n in range(5)})
    at_once = _usages(history.database)

    monkeypatch.setattr(usage_module, "VERSIONS_PER_PAGE", 2)
    monkeypatch.setattr(usage_module, "ROWS_PER_PAGE", 2)

    assert _usages(history.database) == at_once
    paged: list[VersionUsage] = []
    while page := queries.version_usages(history.database, DIGITS, after=paged[-1].version if paged else -1, limit=3):
        paged += page
    assert paged == at_once
    assert usages_within(history.database, DIGITS, seconds_max=60.0) == (at_once, True)
    assert usages_within(history.database, DIGITS, seconds_max=0.0) == ([], False)


_contents = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(CONTENTS), max_size=4)


@given(data=st.data())
@pytest.mark.usefixtures("small_pages")
def test_the_sums_are_what_the_listings_have_and_what_deleting_frees(databases: Databases, data: st.DataObject) -> None:
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        live: dict[str, set[int]] = {DIGITS: set(), MODEL: set()}
        for _ in range(data.draw(st.integers(1, 6))):
            _commit_some(history, data, live)
            if data.draw(st.integers(0, 2)) == 0:
                _delete_some(history, data, live)

        _check_sums(database, live)
        collection = data.draw(st.sampled_from(BOTH))
        if live[collection]:
            version = data.draw(st.sampled_from(sorted(live[collection])))
            freed = queries.reclaimable_bytes(database, collection, [version])
            before = _of_project(database)
            _delete(history, version, collection)
            after = _of_project(database)
            assert (after[0], after[1]) == (before[0] - freed, before[1] + freed)


def _commit_some(history: History, data: st.DataObject, live: Mapping[str, set[int]]) -> None:
    collection = data.draw(st.sampled_from(BOTH))
    base = data.draw(st.sampled_from((None, *sorted(live[collection]))))
    there = list(listing_of(history.database, collection, base)) if base is not None else []
    gone = [path for path in there if data.draw(st.integers(0, 3)) == 0]
    history.commit(collection, data.draw(_contents), base=base, removed=gone, type=collection)
    live[collection].clear()
    live[collection].update(one.version for one in queries.version_infos(history.database, collection))


def _delete_some(history: History, data: st.DataObject, live: Mapping[str, set[int]]) -> None:
    collection = data.draw(st.sampled_from([name for name in BOTH if live[name]]))
    version = data.draw(st.sampled_from(sorted(live[collection])))
    _delete(history, version, collection)
    live[collection].remove(version)


def _check_sums(database: Database, live: Mapping[str, set[int]]) -> None:
    needed = {one for name in BOTH for version in live[name] for one in _named(database, name, version).items()}
    everything: set[tuple[bytes, int]] = set()
    for name in BOTH:
        found = _usages(database, name)
        assert [one.version for one in found if not one.deleted] == sorted(live[name])
        stored = {one for usage in found for one in _named(database, name, usage.version).items()}
        everything |= stored
        expected = _total(stored & needed), _total(stored - needed)
        assert _sum(one.to_collection for one in found) == expected
    assert _of_project(database) == (_total(everything & needed), _total(everything - needed))


def _of_project(database: Database) -> tuple[int, int]:
    return _sum(one.to_project for name in BOTH for one in _usages(database, name))


def _named(database: Database, collection: str, version: int) -> dict[bytes, int]:
    info = queries.version_info(database, collection, version)
    assert info is not None
    listed = [entry for page in queries.all_entries(database, info.layers) for entry in page]
    return {entry.digest: entry.size for entry in listed if entry.digest is not None and entry.size is not None}


def _total(contents: set[tuple[bytes, int]]) -> int:
    return sum(size for _, size in contents)


@pytest.fixture(scope="module")
def small_pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usage_module, "ROWS_PER_PAGE", 2)
        patch.setattr(usage_module, "VERSIONS_PER_PAGE", 2)
        for bound, value in (("ROWS_AT_ONCE", 2), ("CHAINS_PER_PAGE", 1), ("LAYERS_KEPT_MAX", 2)):
            patch.setattr(holders, bound, value)
        yield


# --- sums ---------------------------------------------------------------------------------------------------------


def _of_day(version: int, date: str, size: int, *, deleted: bool = False) -> VersionUsage:
    created_us = int(datetime.fromisoformat(f"{date}T00:00:00+00:00").timestamp()) * 1_000_000
    return VersionUsage(version, deleted, False, 2, size, created_us, AddedBytes(size, 1), AddedBytes(0, 0))


def test_sums_have_the_largest_the_oldest_and_the_growth() -> None:
    totals = UsageTotals()
    dates = ["2026-01-31", "2026-02-01", "2025-12-31", "2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03"]
    found = [_of_day(number, date, 10 * (number % 4) + 10) for number, date in enumerate(dates)]
    for usage in [*found, _of_day(7, "2025-01-01", 1_000_000, deleted=True)]:
        totals.add(DIGITS, usage, usage.to_collection)

    assert (totals.live_versions, totals.deleted_versions, totals.versions, totals.files) == (7, 1, 8, 14)
    assert (totals.needed_bytes, totals.reclaimable_bytes, totals.stored_bytes) == (1_000_160, 8, 1_000_168)
    assert [(one.version, one.size_bytes) for one in totals.largest] == [(3, 40), (6, 30), (2, 30), (5, 20), (1, 20)]
    assert [one.version for one in totals.oldest] == [2, 0, 1, 3, 4]
    assert list(totals.added_by_month.items()) == [
        ("2025-01", 1_000_001),
        ("2025-12", 31),
        ("2026-01", 11),
        ("2026-02", 62),
        ("2026-03", 63),
    ]
