"""How large the cache may become, and what makes room."""

import time
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from headwater._ingest import stat_cache
from headwater._ingest.scan import NUMBERS_PER_FILE, Scan, ScannedFolder
from headwater._ingest.stat_cache import StatCache
from headwater_schemas.digests import DIGEST_BYTES, XXH3
from headwater_schemas.lthash import NOTHING, ContentSum

from tests.sdk.stat_caches import cache as cache
from tests.sdk.stat_caches import digest_of, log, settled_file
from tests.sdk.stat_caches import place as place
from tests.sdk.stat_caches import tree as tree

GROWTH_BYTES_MAX = 64 * 1024


def made_up(names: list[str], changed: int | None = None, folders: int = 1) -> Scan:
    """A scan of files that do not exist; row `changed` has another size and other times."""
    numbers = array("q")
    for row in range(len(names)):
        other = 1 if row == changed else 0
        numbers.extend((row, 4096 + other, 1_700_000_000_000_000_001 + other, 1_700_000_000_000_000_001 + other, 0))
    step = -(-len(names) // folders)
    cut = [
        ScannedFolder(
            f"folder-{start:07}",
            names[start : start + step],
            numbers[start * NUMBERS_PER_FILE : (start + step) * NUMBERS_PER_FILE],
        )
        for start in range(0, len(names), step)
    ]
    return Scan("/nowhere/at/all", "", cut, time.time_ns())


def store_made_up(cache: StatCache, found: Scan) -> int:
    """Remember `found` and say how many files would have been read."""
    diff = cache.diff_scan(found, XXH3)
    digests = [bytes([1]) + row.to_bytes(DIGEST_BYTES[XXH3], "big") for row in diff.changed_rows]
    sizes = found.sizes()
    content_sum = ContentSum(count=len(found), size_bytes=sum(sizes))
    assert cache.store_scan(found, diff, digests, [sizes[row] for row in diff.changed_rows], content_sum)
    return len(diff.changed_rows)


def size_on_disk(place: Path) -> int:
    return sum(path.stat().st_size for path in place.parent.iterdir())


@pytest.mark.parametrize("folders", [1, 1000])
def test_one_changed_file_of_100_000_grows_the_cache_by_less_than_64_kib(place: Path, folders: int) -> None:
    names = [f"image-{row:06}.png" for row in range(100_000)]
    cache = StatCache.open(place)
    store_made_up(cache, made_up(names, folders=folders))
    cache.close()
    before = size_on_disk(place)

    for changed in (0, 5_000, 77_777, 99_999):
        assert store_made_up(cache, made_up(names, changed=changed, folders=folders)) in (1, 2)
    cache.close()

    assert size_on_disk(place) - before < GROWTH_BYTES_MAX


def test_files_that_come_and_go_one_by_one_keep_the_cache_small(place: Path) -> None:
    names = [f"image-{row:06}.png" for row in range(5_000)]
    cache = StatCache.open(place)
    store_made_up(cache, made_up(names))
    cache.close()
    before = size_on_disk(place)

    for round_number in range(30):
        names = sorted({*names[1:], f"image-{round_number * 7:06}-more.png"})
        store_made_up(cache, made_up(names))
    cache.close()

    assert size_on_disk(place) < 2 * before


def make_trees(tmp_path: Path, count: int) -> list[Path]:
    roots = [tmp_path / f"tree-{i}" for i in range(count)]
    for root in roots:
        root.mkdir()
        (root / "file").write_bytes(b"x")
    return roots


def test_the_least_recently_used_tree_makes_room(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = make_trees(tmp_path, 3)
    cache = StatCache.open(place, trees_max=2)
    now_s = time.time()
    for hour, root in enumerate((first, second, first, third)):
        monkeypatch.setattr(time, "time", lambda hour=hour: now_s + 2 * 3600 * hour)
        log(cache, root)

    assert log(cache, first).read == []
    assert log(cache, third).read == []
    assert log(cache, second).read == ["file"]


def test_the_cache_stays_within_its_bytes(place: Path) -> None:
    cache = StatCache.open(place, bytes_max=256 * 1024)
    names = [f"{row:06}" for row in range(1_500)]
    for number in range(20):
        store_made_up(cache, replace(made_up(names), root=f"/nowhere/{number}"))
    cache.close()

    assert size_on_disk(place) < 512 * 1024
    assert cache.diff_scan(replace(made_up(names), root="/nowhere/19"), XXH3).changed_rows == []


def test_a_tree_that_is_too_large_alone_is_not_kept_and_harms_no_other_knowledge(place: Path, tree: Path) -> None:
    cache = StatCache.open(place, bytes_max=256 * 1024)
    log(cache, tree)
    huge = made_up([f"{row:06}" for row in range(20_000)])
    diff = cache.diff_scan(huge, XXH3)

    kept = cache.store_scan(huge, diff, [digest_of(b"")] * 20_000, [0] * 20_000, NOTHING)

    assert not kept
    assert log(cache, tree).read == []


def test_single_files_are_written_in_batches_and_their_number_is_bounded(
    cache: StatCache, place: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stat_cache, "FILES_MAX", 100)
    monkeypatch.setattr(stat_cache, "FILES_PENDING_MAX", 30)
    found = settled_file(tree / "folder-0" / "file-00")
    for number in range(250):
        cache.store_file(replace(found, location=f"/nowhere/{number}"), digest_of(b"0"))
    cache.close()

    known = [n for n in range(250) if cache.lookup_file(replace(found, location=f"/nowhere/{n}"), XXH3)]

    assert known == list(range(150, 250))
