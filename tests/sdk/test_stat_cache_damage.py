"""What may happen to the file of the cache: it costs reading again, never a wrong digest."""

import multiprocessing
import os
import random
import resource
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from headwater._ingest.scan import scan_file
from headwater._ingest.stat_cache import BUSY_TIMEOUT_S, StatCache

from tests.sdk.stat_caches import cache as cache
from tests.sdk.stat_caches import digest_of, log, truth
from tests.sdk.stat_caches import place as place
from tests.sdk.stat_caches import tree as tree


def spoil_with_text(place: Path) -> None:
    place.write_text("this is no database")


def spoil_by_cutting(place: Path) -> None:
    os.truncate(place, place.stat().st_size // 2)


def spoil_with_zeros(place: Path) -> None:
    content = place.read_bytes()
    place.write_bytes(content[:4096] + bytes(len(content) - 4096))


def spoil_the_schema(place: Path) -> None:
    with sqlite3.connect(place) as db:
        db.execute("DROP TABLE chunks")


@pytest.mark.parametrize("spoil", [spoil_with_text, spoil_by_cutting, spoil_with_zeros, spoil_the_schema])
def test_a_damaged_cache_is_made_anew(cache: StatCache, place: Path, tree: Path, spoil: Callable[[Path], None]) -> None:
    log(cache, tree)
    cache.close()
    spoil(place)

    first = log(cache, tree)
    log(cache, tree)
    cache.close()

    assert first.digests == truth(tree)
    assert log(StatCache.open(place), tree).read == []


def test_flipped_bits_never_give_a_wrong_digest(place: Path, tree: Path) -> None:
    cache = StatCache.open(place)
    log(cache, tree)
    cache.close()
    sound, chance = place.read_bytes(), random.Random(7)

    for _ in range(200):
        spoiled = bytearray(sound)
        for _ in range(3):
            spoiled[chance.randrange(100, len(spoiled))] ^= 1 << chance.randrange(8)
        place.write_bytes(spoiled)
        cache = StatCache.open(place)
        assert log(cache, tree).digests == truth(tree)
        cache.close()


@pytest.mark.parametrize(
    "tear",
    [
        "UPDATE chunks SET digests = zeroblob(length(digests)) WHERE id = 1",
        "DELETE FROM chunks WHERE id = 1",
        "UPDATE trees SET state = zeroblob(length(state))",
        "UPDATE trees SET count = count + 1",
    ],
)
def test_a_torn_tree_is_forgotten_whole(cache: StatCache, place: Path, tree: Path, tear: str) -> None:
    log(cache, tree)
    cache.close()
    with sqlite3.connect(place) as db:
        db.execute(tear)

    again = log(cache, tree)

    assert len(again.read) == 12
    assert again.kept
    assert log(cache, tree).read == []


def test_a_cache_of_the_first_layout_gives_way_to_one_of_this_layout(cache: StatCache, place: Path, tree: Path) -> None:
    log(cache, tree)
    cache.close()
    with sqlite3.connect(place) as db:
        db.execute("ALTER TABLE chunks DROP COLUMN digests")
        db.execute("PRAGMA user_version = 1")

    first = log(StatCache.open(place), tree)
    second = log(StatCache.open(place), tree)

    assert (len(first.read), first.kept, first.digests) == (12, True, truth(tree))
    assert second.read == []


def test_a_cache_that_trusted_younger_files_gives_way(cache: StatCache, place: Path, tree: Path) -> None:
    log(cache, tree)
    cache.close()
    with sqlite3.connect(place) as db:
        db.execute("PRAGMA user_version = 2")

    first = log(StatCache.open(place), tree)

    assert (len(first.read), first.kept, first.digests) == (12, True, truth(tree))


@pytest.mark.parametrize("pragma", ["user_version = 2000000", "application_id = 7"])
def test_an_cache_of_a_newer_release_or_another_program_is_left_alone(
    cache: StatCache, place: Path, tree: Path, pragma: str
) -> None:
    log(cache, tree)
    cache.close()
    with sqlite3.connect(place) as db:
        db.execute(f"PRAGMA {pragma}")
    before = place.read_bytes()

    first = log(StatCache.open(place), tree)
    second = log(StatCache.open(place), tree)

    assert len(first.read) == len(second.read) == 12
    assert first.digests == truth(tree)
    assert not first.kept
    assert place.read_bytes() == before


def test_a_locked_cache_is_not_waited_for_long(cache: StatCache, place: Path, tree: Path) -> None:
    log(cache, tree)
    holder = sqlite3.connect(place, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()

    while_locked = log(cache, tree)
    waited_s = time.monotonic() - started
    holder.execute("ROLLBACK")
    holder.close()

    assert len(while_locked.read) == 12
    assert waited_s < 2 * BUSY_TIMEOUT_S + 1
    assert log(cache, tree).read == []


def test_a_place_where_no_file_can_be_made_costs_only_the_reading(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "file").touch()
    cache = StatCache.open(tmp_path / "file" / "cache.sqlite")

    for _ in range(5):
        logged = log(cache, tree)
        assert len(logged.read) == 12
        assert not logged.kept
    cache.close()


def log_with_small_files_only(place: Path, tree: Path) -> None:
    """A full disk's stand-in: no file of this process may grow beyond 16 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, 16 * 1024))
    cache = StatCache.open(place)
    for _ in range(5):
        assert log(cache, tree).digests == truth(tree)
    cache.store_file(replace(scan_file(tree / "folder-0" / "file-00"), started_ns=1 << 62), digest_of(b"0"))
    cache.close()


def test_a_full_disk_costs_only_the_reading(place: Path, tree: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=log_with_small_files_only, args=(place, tree))
    process.start()
    process.join(60)

    assert process.exitcode == 0
    cache = StatCache.open(place)
    log(cache, tree)
    assert log(cache, tree).read == []
