"""What deleting would free, and what hangs on a version."""

from collections.abc import Iterator, Sequence

import pytest
from headwater_consumer import queries
from headwater_consumer.queries import holders
from headwater_consumer.queries import reclaimable as reclaimable_module
from headwater_schemas.entries import Reference
from headwater_schemas.events import ArtifactUsed, VersionDeleted
from hypothesis import given
from hypothesis import strategies as st

from tests.consumer.events import DIGITS, MODEL, PROJECT, SHARED, added, opened
from tests.consumer.inspection import Databases, listing_of, rows_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog

CONTENTS = P, Q, R, S, T = b"p", b"q" * 10, b"r" * 100, b"s" * 1000, b"t" * 10_000  # their sum says which


def _freed(history: History, *versions: int, collection: str = DIGITS) -> int:
    return queries.reclaimable_bytes(history.database, collection, versions)


def test_only_what_nothing_else_names_becomes_free(history: History) -> None:
    history.commit(DIGITS, {"a": P, "b": Q, "c": R, "again": P})
    history.commit(DIGITS, {"a": S}, base=0)
    history.commit(MODEL, {"m": R})
    history.commit("team/other/digits", {"m": P})

    assert [_freed(history, 0), _freed(history, 1), _freed(history, 0, 1)] == [0, 1000, 1011]

    history.commit(DIGITS, base=1, removed=["again", "b"])
    history.write(VersionDeleted(collection=DIGITS, version=1, delete_aliases=True))
    assert [_freed(history, 0), _freed(history, 2), _freed(history, 0, 2, 2)] == [11, 1000, 1011]
    assert _freed(history, 1) == 0, "it is deleted already"
    assert _freed(history, 9) == 0
    assert _freed(history) == 0
    assert _freed(history, 0, collection=MODEL) == 0


def test_what_lies_below_others_is_free_where_all_of_them_hide_it(history: History) -> None:
    history.commit(DIGITS, {f"f{n}": b"%d" % n for n in range(40)} | {"a": Q, "b": R})
    history.commit(DIGITS, {"a": S}, base=0)
    history.commit(DIGITS, {"a": T, "b": T}, base=0)

    assert _freed(history, 0) == 10
    history.write(VersionDeleted(collection=DIGITS, version=1, delete_aliases=True))
    assert _freed(history, 0) == 110


def test_an_open_draft_keeps_what_it_has_and_all_that_it_starts_from(history: History) -> None:
    history.commit(DIGITS, {"a": P, "b": Q})
    history.commit(DIGITS, {"c": R})
    history.write(opened(base=0), added(SHARED, {"a": S, "d": R}))

    assert _freed(history, 0, 1) == 0


def test_references_take_no_room(history: History) -> None:
    history.commit(DIGITS, {"a": P}, references=[Reference("r", "s3://x", size=5_000)])

    assert _freed(history, 0) == 1


_contents = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(CONTENTS), max_size=4)


@given(data=st.data())
@pytest.mark.usefixtures("small_pages")
def test_what_becomes_free_is_what_the_listings_of_all_others_lack(databases: Databases, data: st.DataObject) -> None:
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        for _ in range(data.draw(st.integers(1, 6))):
            count = len(_live(history))
            base = data.draw(st.sampled_from((None, *_live(history)))) if count else None
            there = list(listing_of(database, DIGITS, base)) if base is not None else []
            gone = [path for path in there if data.draw(st.integers(0, 3)) == 0]
            history.commit(DIGITS, data.draw(_contents), base=base, removed=gone)
            if data.draw(st.integers(0, 3)) == 0:
                version = data.draw(st.sampled_from(_live(history)))
                history.write(VersionDeleted(collection=DIGITS, version=version, delete_aliases=True))
        live = _live(history)
        leaving = data.draw(st.lists(st.sampled_from(live), unique=True)) if live else []

        before, after = _named(history, live), _named(history, [n for n in live if n not in leaving])

        assert _freed(history, *leaving) == sum(before[digest] for digest in before.keys() - after.keys())


@pytest.fixture(scope="module")
def small_pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reclaimable_module, "ROWS_PER_PAGE", 2)
        for bound, value in (("ROWS_AT_ONCE", 2), ("CHAINS_PER_PAGE", 1), ("LAYERS_KEPT_MAX", 2)):
            patch.setattr(holders, bound, value)
        yield


def _live(history: History) -> list[int]:
    infos = queries.version_infos(history.database, DIGITS, newest_first=False)
    return [info.version for info in infos]


def _named(history: History, versions: Sequence[int]) -> dict[bytes, int]:
    listed = [entry for n in versions for page in _pages(history, n) for entry in page]
    return {entry.digest: entry.size for entry in listed if entry.digest is not None and entry.size is not None}


def _pages(history: History, version: int) -> Iterator[list[queries.EntryInfo]]:
    info = queries.version_info(history.database, DIGITS, version)
    assert info is not None
    return queries.all_entries(history.database, info.layers)


# --- what hangs on it ---------------------------------------------------------------------------------------------


def test_the_runs_that_used_a_version_and_what_they_logged_depend_on_it(history: History) -> None:
    train, look = f"{PROJECT}/train", f"{PROJECT}/look"
    history.commit(DIGITS, {"a": P})
    history.commit(DIGITS, {"a": Q})
    for run in (train, look):
        for requested in ("digits:latest", "digits:v0"):
            history.write(ArtifactUsed(collection=DIGITS, version=0, run=run, requested=requested))
    for content in (P, Q, R):
        history.commit(MODEL, {"m": content}, type="model", run=train)
    history.write(VersionDeleted(collection=MODEL, version=1))

    assert queries.dependents(history.database, DIGITS, 0) == ([look, train], [(MODEL, 0), (MODEL, 2)])
    assert queries.dependents(history.database, DIGITS, 0, limit=1) == ([look], [(MODEL, 0)])
    assert queries.dependents(history.database, DIGITS, 1) == ([], [])
    assert rows_of(history.database, "SELECT count(*) FROM rejections") == [(0,)]
