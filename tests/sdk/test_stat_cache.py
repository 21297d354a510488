"""The cache of unchanged files: what it saves, and what it must never say."""

import os
import shutil
import sqlite3
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest
from headwater._ingest import scan_diff, trust
from headwater._ingest.folder_walk import EXECUTABLE
from headwater._ingest.scan import scan, scan_file
from headwater._ingest.scan_diff import CHUNK_NAMES, CHUNK_NAMES_MAX
from headwater._ingest.stat_cache import StatCache
from headwater._ingest.trust import TRUSTED_AGE_NS, is_trusted
from headwater_schemas.digests import BLAKE3, XXH3
from headwater_schemas.lthash import NOTHING
from hypothesis import given
from hypothesis import strategies as st

from tests.sdk.stat_caches import cache as cache
from tests.sdk.stat_caches import digest_of, log, settled_file, truth
from tests.sdk.stat_caches import place as place
from tests.sdk.stat_caches import tree as tree


def test_an_unchanged_tree_is_known_whole_also_in_the_next_process(cache: StatCache, place: Path, tree: Path) -> None:
    first = log(cache, tree)
    cache.close()

    again = log(StatCache.open(place), tree)

    assert len(first.read) == 12
    assert again.read == []
    assert again.digests == first.digests == truth(tree)
    assert again.content_sum == first.content_sum


def test_only_what_changed_is_read(cache: StatCache, tree: Path) -> None:
    log(cache, tree)
    (tree / "folder-0" / "file-00").write_bytes(b"changed")
    (tree / "folder-1" / "file-01").unlink()
    (tree / "folder-2" / "new").write_bytes(b"new")
    (tree / "other").mkdir()
    (tree / "other" / "file").write_bytes(b"other")

    again = log(cache, tree)

    assert again.read == ["folder-0/file-00", "folder-2/new", "other/file"]
    assert again.digests == truth(tree)


def test_a_file_that_became_executable_is_noticed_even_if_its_times_are_the_same(cache: StatCache, tree: Path) -> None:
    log(cache, tree)
    alone = settled_file(tree / "folder-0" / "file-00")
    cache.store_file(alone, digest_of(b"0"))
    found = scan(tree)
    for stats in (alone.stats, found.folders[0].stats):
        stats[EXECUTABLE] = 1

    assert cache.lookup_file(alone, XXH3) is None
    diff = cache.diff_scan(found, XXH3)
    assert (diff.changed_rows, diff.superseded) == ([0], [("folder-0/file-00", digest_of(b"0"), 1, False)])


def test_the_sum_of_a_tree_follows_what_is_executable_in_it(cache: StatCache, tree: Path) -> None:
    plain = log(cache, tree)
    (tree / "folder-0" / "file-00").chmod(0o755)
    executable = log(cache, tree)
    (tree / "folder-0" / "file-00").chmod(0o644)
    again = log(cache, tree)

    assert executable.read == again.read == ["folder-0/file-00"]
    assert executable.content_sum != plain.content_sum == again.content_sum


def test_a_diff_lists_what_the_sum_no_longer_contains(cache: StatCache, tree: Path) -> None:
    log(cache, tree, "images")
    (tree / "folder-0" / "file-00").write_bytes(b"changed")
    shutil.rmtree(tree / "folder-1")

    diff = cache.diff_scan(scan(tree, "images"), XXH3)

    expected = {("images/folder-0/file-00", digest_of(b"0"), 1, False)}
    expected |= {(f"images/folder-1/file-{i:02}", digest_of(b"%d" % i), len(b"%d" % i), False) for i in (1, 4, 7, 10)}
    assert set(diff.superseded) == expected
    assert len(diff.superseded) == len(expected)


def test_a_tree_that_is_not_known_starts_from_nothing(cache: StatCache, tree: Path) -> None:
    diff = cache.diff_scan(scan(tree), XXH3)

    assert diff.changed_rows == list(range(12))
    assert (diff.superseded, diff.previous_sum) == ([], NOTHING)
    assert diff.digests() == [None] * 12


def test_each_algorithm_and_each_prefix_is_its_own_tree(cache: StatCache, tree: Path) -> None:
    log(cache, tree)

    blake3 = log(cache, tree, algorithm=BLAKE3)
    prefixed = log(cache, tree, "images")

    assert len(blake3.read) == len(prefixed.read) == 12
    assert log(cache, tree, algorithm=BLAKE3).digests == truth(tree, algorithm=BLAKE3)
    assert log(cache, tree, "images").digests == truth(tree, "images/")
    assert log(cache, tree).read == []


def test_an_empty_tree_is_fine_before_and_after_it_had_files(cache: StatCache, tmp_path: Path) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    empty = log(cache, root)
    (root / "file").write_bytes(b"x")
    full = log(cache, root)
    (root / "file").unlink()
    emptied = log(cache, root)

    assert empty.content_sum == emptied.content_sum == NOTHING
    assert full.content_sum.count == 1


def test_a_young_file_is_read_again_until_it_has_settled(cache: StatCache, tree: Path) -> None:
    young = tree / "folder-0" / "file-00"
    log(cache, tree)
    young.write_bytes(b"young")

    first = log(cache, tree, settled=False)
    second = log(cache, tree, settled=True)
    third = log(cache, tree, settled=False)

    assert first.read == second.read == ["folder-0/file-00"]
    assert third.read == []


@pytest.mark.parametrize("name", ["file-00", "file-03", "file-09"])  # first, within and last of its chunk
def test_same_size_and_same_mtime_do_not_hide_a_change(cache: StatCache, tree: Path, name: str) -> None:
    log(cache, tree)
    time.sleep(0.02)  # more than one tick of the kernel's clock, so that ctime moves
    forge(tree / "folder-0" / name)

    again = log(cache, tree)

    assert again.read == [f"folder-0/{name}"]
    assert again.digests == truth(tree)


def forge(path: Path) -> None:
    """Other content of the same size, under the same mtime."""
    before = path.stat()
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("age_ns", "trusted"),
    [(TRUSTED_AGE_NS + 1, True), (TRUSTED_AGE_NS, False), (0, False), (-2 * TRUSTED_AGE_NS, False)],
)
def test_a_file_is_trusted_once_both_times_are_older_than_writing_back_takes(age_ns: int, trusted: bool) -> None:
    stamp_ns = 1_700_000_000_000_000_000

    assert is_trusted(stamp_ns, stamp_ns, stamp_ns + age_ns) is trusted
    assert is_trusted(stamp_ns, 1, stamp_ns + age_ns) is trusted
    assert is_trusted(1, stamp_ns, stamp_ns + age_ns) is trusted


def test_a_file_that_changes_between_the_look_and_the_read_leaves_sum_and_cache_consistent(
    cache: StatCache, tree: Path
) -> None:
    path = tree / "folder-0" / "file-00"

    first = log(cache, tree, meanwhile=lambda: path.write_bytes(b"longer than before"))
    second = log(cache, tree)
    third = log(cache, tree)

    assert first.digests == second.digests == truth(tree)
    assert first.content_sum == second.content_sum == third.content_sum
    assert second.read == ["folder-0/file-00"]
    assert third.read == []


names = st.sampled_from(["a", "b", "a/x", "a/y", "b.txt", "c/d/e", "c/d/f", "c-d"])


contents = st.sampled_from([b"", b"one", b"two", b"six", b"longer"])


edits = st.one_of(
    st.tuples(st.just("write"), names, contents),
    st.tuples(st.just("forge"), names),
    st.tuples(st.just("remove"), names),
    st.tuples(st.just("swap"), names, names),
    st.tuples(st.just("wait")),
    st.tuples(st.just("log")),
    st.tuples(st.just("log, overtaken"), names, contents),
    st.tuples(st.just("reopen")),
)


def apply(root: Path, edit: tuple[object, ...]) -> None:
    """Do what `edit` says, if the tree as it is allows it."""
    match edit:
        case ("write", str() as name, bytes() as content):
            write(root / name, content)
        case ("remove", str() as name) if (root / name).is_file():
            (root / name).unlink()
        case ("remove", str() as name) if (root / name).is_dir():
            shutil.rmtree(root / name)
        case ("swap", str() as one, str() as other) if (root / one).is_file() and (root / other).is_file():
            (root / one).rename(root / "between")
            if one != other:
                (root / other).rename(root / one)
            (root / "between").rename(root / other)
        case ("wait",):
            time.sleep(0.025)


def write(path: Path, content: bytes) -> None:
    if not path.is_dir() and not any(parent.is_file() for parent in path.parents):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@given(st.lists(edits, max_size=25))
def test_whatever_happens_to_a_tree_no_digest_is_ever_another_than_its_files(edits: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(trust, "TRUSTED_AGE_NS", 15_000_000)  # still longer than the kernel's tick
        patch.setattr(scan_diff, "CHUNK_NAMES", 2)
        patch.setattr(scan_diff, "CHUNK_NAMES_MAX", 4)
        root = Path(folder) / "tree"
        root.mkdir()
        cache = StatCache.open(Path(folder) / "cache.sqlite")
        for edit in (*edits, ("log",), ("log",)):
            match edit:
                case ("reopen",):
                    cache.close()
                case ("log",):
                    assert log(cache, root, settled=False).digests == truth(root)
                case ("forge", str() as name) if (root / name).is_file():
                    time.sleep(0.025)
                    log(cache, root, settled=False)  # the file is known when it is forged
                    forge(root / name)
                case ("log, overtaken", str() as name, bytes() as content) if (root / name).is_file():
                    log(cache, root, settled=False, meanwhile=partial(write, root / name, content))
                case _:
                    apply(root, edit)
        cache.close()


def test_a_folder_that_grows_file_by_file_past_its_chunks_stays_known(cache: StatCache, tmp_path: Path) -> None:
    for count in (1, CHUNK_NAMES, CHUNK_NAMES_MAX, CHUNK_NAMES_MAX + 1, 3 * CHUNK_NAMES_MAX):
        for i in range(count):
            (tmp_path / "tree" / f"{i * 7919 % 4001:04}").parent.mkdir(exist_ok=True)
            (tmp_path / "tree" / f"{i * 7919 % 4001:04}").write_bytes(b"%d" % i)
        log(cache, tmp_path / "tree")

        again = log(cache, tmp_path / "tree")

        assert again.read == []
        assert again.digests == truth(tmp_path / "tree")


def test_nothing_is_written_when_nothing_changed(cache: StatCache, place: Path, tree: Path) -> None:
    log(cache, tree)
    cache.close()
    before = place.read_bytes()

    log(cache, tree)
    cache.close()

    assert place.read_bytes() == before


def test_a_single_file_is_known_until_it_changes(cache: StatCache, place: Path, tree: Path) -> None:
    path = tree / "folder-0" / "file-00"
    assert cache.lookup_file(scan_file(path), XXH3) is None

    cache.store_file(settled_file(path), digest_of(b"0"))
    assert cache.lookup_file(scan_file(path), XXH3) == digest_of(b"0")
    cache.close()
    assert StatCache.open(place).lookup_file(scan_file(path), XXH3) == digest_of(b"0")
    assert cache.lookup_file(scan_file(path), BLAKE3) is None
    path.write_bytes(b"changed")
    assert cache.lookup_file(scan_file(path), XXH3) is None


def test_a_young_single_file_is_not_trusted(cache: StatCache, tree: Path) -> None:
    path = tree / "folder-0" / "file-00"
    path.write_bytes(b"young")

    cache.store_file(scan_file(path), digest_of(b"young"))

    assert cache.lookup_file(scan_file(path), XXH3) is None


def test_a_spoiled_row_of_a_single_file_is_not_trusted(cache: StatCache, place: Path, tree: Path) -> None:
    path = tree / "folder-0" / "file-00"
    cache.store_file(settled_file(path), digest_of(b"0"))
    cache.close()
    with sqlite3.connect(place) as db:
        db.execute("UPDATE files SET digest = ?", (digest_of(b"1"),))

    assert cache.lookup_file(scan_file(path), XXH3) is None


def test_the_mounts_are_looked_up_only_to_remember_a_file_that_is_old_enough(
    cache: StatCache, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[int] = []
    monkeypatch.setattr(trust.FileSystems, "tell_changes", lambda _, device: looked_up.append(device) or False)
    path = tree / "folder-0" / "file-00"

    cache.store_file(scan_file(path), digest_of(b"0"))
    assert cache.lookup_file(scan_file(path), XXH3) is None
    assert looked_up == []

    cache.store_file(settled_file(path), digest_of(b"0"))
    assert looked_up == [path.stat().st_dev]
    assert cache.lookup_file(scan_file(path), XXH3) is None, "times do not tell of changes there"
