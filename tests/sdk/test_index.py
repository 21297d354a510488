"""The index of unchanged files: what it saves, what it must never say, and what may happen to its file."""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from headwater import _index, _recall
from headwater._index import BUSY_TIMEOUT_S, StatIndex
from headwater._recall import CHUNK_NAMES, CHUNK_NAMES_MAX, COARSE_TICK_NS, FINE_TICK_NS, is_settled
from headwater._scan import NUMBERS_PER_FILE, Folder, Scan, ScannedFile, scan, scan_file
from headwater_schemas.digests import BLAKE3, DIGEST_BYTES, XXH3, one_shot, pack
from headwater_schemas.entries import file_leaves
from headwater_schemas.lthash import NOTHING, ContentSum, sum_of
from hypothesis import given
from hypothesis import strategies as st

LATER_NS = 10_000_000_000  # ten seconds: by then every time on every file system is settled
GROWTH_BYTES_MAX = 64 * 1024


def digest_of(content: bytes, algorithm: str = XXH3) -> bytes:
    return pack(algorithm, one_shot(algorithm)(content))


@dataclass(frozen=True)
class Logged:
    """One folder, logged as an artifact would be."""

    digests: dict[str, bytes]
    content_sum: ContentSum
    read: list[str]  # paths of the files that had to be read
    kept: bool


def log(
    index: StatIndex,
    root: Path,
    prefix: str = "",
    algorithm: str = XXH3,
    *,
    settled: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
) -> Logged:
    """Scan, recall, read what must be read, remember. `settled`: as if looked at long after the last change.

    `meanwhile` happens between the look at the files and the first read.
    """
    found = scan(root, prefix)
    if settled:
        found = replace(found, started_ns=found.started_ns + LATER_NS)
    recall = index.recall(found, algorithm)
    meanwhile()
    paths, locations, sizes, digests = found.paths(), found.locations(), found.sizes(), recall.digests()
    assert [row for row, digest in enumerate(digests) if digest is None] == recall.changed
    for row in recall.changed:
        content = Path(locations[row]).read_bytes()
        digests[row], sizes[row] = digest_of(content, algorithm), len(content)
    every = [digest for digest in digests if digest is not None]
    read_digests, read_sizes = [every[row] for row in recall.changed], [sizes[row] for row in recall.changed]
    read = [paths[row] for row in recall.changed]
    content_sum = recall.updated_sum(read, read_digests, read_sizes)
    assert content_sum == sum_of(file_leaves(paths, every, sizes), sum(sizes)), "the change gives the sum of the whole"
    kept = index.remember(found, recall, read_digests, read_sizes, content_sum)
    return Logged(dict(zip(paths, every, strict=True)), content_sum, read, kept)


def truth(root: Path, prefix: str = "", algorithm: str = XXH3) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {prefix + path.relative_to(root).as_posix(): digest_of(path.read_bytes(), algorithm) for path in files}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "index.sqlite"


@pytest.fixture
def index(place: Path) -> StatIndex:
    return StatIndex.open(place)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for i in range(12):
        path = root / f"folder-{i % 3}" / f"file-{i:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % i)
    return root


def test_an_unchanged_tree_is_known_whole_also_in_the_next_process(index: StatIndex, place: Path, tree: Path) -> None:
    first = log(index, tree)
    index.close()

    again = log(StatIndex.open(place), tree)

    assert len(first.read) == 12
    assert again.read == []
    assert again.digests == first.digests == truth(tree)
    assert again.content_sum == first.content_sum


def test_only_what_changed_is_read(index: StatIndex, tree: Path) -> None:
    log(index, tree)
    (tree / "folder-0" / "file-00").write_bytes(b"changed")
    (tree / "folder-1" / "file-01").unlink()
    (tree / "folder-2" / "new").write_bytes(b"new")
    (tree / "other").mkdir()
    (tree / "other" / "file").write_bytes(b"other")

    again = log(index, tree)

    assert again.read == ["folder-0/file-00", "folder-2/new", "other/file"]
    assert again.digests == truth(tree)


def test_a_recall_says_what_is_gone_from_the_sum(index: StatIndex, tree: Path) -> None:
    log(index, tree, "images")
    (tree / "folder-0" / "file-00").write_bytes(b"changed")
    shutil.rmtree(tree / "folder-1")

    recall = index.recall(scan(tree, "images"), XXH3)

    expected = {("images/folder-0/file-00", digest_of(b"0"), 1)}
    expected |= {(f"images/folder-1/file-{i:02}", digest_of(b"%d" % i), len(b"%d" % i)) for i in (1, 4, 7, 10)}
    assert set(recall.gone) == expected
    assert len(recall.gone) == len(expected)


def test_a_tree_that_is_not_known_starts_from_nothing(index: StatIndex, tree: Path) -> None:
    recall = index.recall(scan(tree), XXH3)

    assert recall.changed == list(range(12))
    assert (recall.gone, recall.before) == ([], NOTHING)
    assert recall.digests() == [None] * 12


def test_each_algorithm_and_each_prefix_is_its_own_tree(index: StatIndex, tree: Path) -> None:
    log(index, tree)

    blake3 = log(index, tree, algorithm=BLAKE3)
    prefixed = log(index, tree, "images")

    assert len(blake3.read) == len(prefixed.read) == 12
    assert log(index, tree, algorithm=BLAKE3).digests == truth(tree, algorithm=BLAKE3)
    assert log(index, tree, "images").digests == truth(tree, "images/")
    assert log(index, tree).read == []


def test_an_empty_tree_is_fine_before_and_after_it_had_files(index: StatIndex, tmp_path: Path) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    empty = log(index, root)
    (root / "file").write_bytes(b"x")
    full = log(index, root)
    (root / "file").unlink()
    emptied = log(index, root)

    assert empty.content_sum == emptied.content_sum == NOTHING
    assert full.content_sum.count == 1


def test_a_young_file_is_read_again_until_it_has_settled(index: StatIndex, tree: Path) -> None:
    young = tree / "folder-0" / "file-00"
    log(index, tree)
    young.write_bytes(b"young")

    first = log(index, tree, settled=False)
    second = log(index, tree, settled=True)
    third = log(index, tree, settled=False)

    assert first.read == second.read == ["folder-0/file-00"]
    assert third.read == []


@pytest.mark.parametrize("name", ["file-00", "file-03", "file-09"])  # first, within and last of its chunk
def test_same_size_and_same_mtime_do_not_hide_a_change(index: StatIndex, tree: Path, name: str) -> None:
    log(index, tree)
    time.sleep(0.02)  # more than one tick of the kernel's clock, so that ctime moves
    forge(tree / "folder-0" / name)

    again = log(index, tree)

    assert again.read == [f"folder-0/{name}"]
    assert again.digests == truth(tree)


def forge(path: Path) -> None:
    """Other content of the same size, under the same mtime."""
    before = path.stat()
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("age_ns", "fraction_ns", "settled"),
    [
        (COARSE_TICK_NS + 1, 0, True),
        (COARSE_TICK_NS - 1, 0, False),
        (FINE_TICK_NS + 1, 1, True),
        (FINE_TICK_NS - 1, 1, False),
        (-COARSE_TICK_NS, 1, False),
    ],
)
def test_whole_seconds_settle_later_than_finer_times_and_the_future_never(
    age_ns: int, fraction_ns: int, settled: bool
) -> None:
    stamp_ns = 1_700_000_000_000_000_000 + fraction_ns

    assert is_settled(stamp_ns, stamp_ns, stamp_ns + age_ns) is settled
    assert is_settled(stamp_ns, 1, stamp_ns + age_ns) is settled
    assert is_settled(1, stamp_ns, stamp_ns + age_ns) is settled


def test_a_file_that_changes_between_the_look_and_the_read_leaves_sum_and_index_consistent(
    index: StatIndex, tree: Path
) -> None:
    path = tree / "folder-0" / "file-00"

    first = log(index, tree, meanwhile=lambda: path.write_bytes(b"longer than before"))
    second = log(index, tree)
    third = log(index, tree)

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
        patch.setattr(_recall, "FINE_TICK_NS", 15_000_000)  # still longer than the kernel's tick
        patch.setattr(_recall, "CHUNK_NAMES", 2)
        patch.setattr(_recall, "CHUNK_NAMES_MAX", 4)
        root = Path(folder) / "tree"
        root.mkdir()
        index = StatIndex.open(Path(folder) / "index.sqlite")
        for edit in (*edits, ("log",), ("log",)):
            match edit:
                case ("reopen",):
                    index.close()
                case ("log",):
                    assert log(index, root, settled=False).digests == truth(root)
                case ("forge", str() as name) if (root / name).is_file():
                    time.sleep(0.025)
                    log(index, root, settled=False)  # the file is known when it is forged
                    forge(root / name)
                case ("log, overtaken", str() as name, bytes() as content) if (root / name).is_file():
                    log(index, root, settled=False, meanwhile=partial(write, root / name, content))
                case _:
                    apply(root, edit)
        index.close()


def made_up(names: list[str], changed: int | None = None, folders: int = 1) -> Scan:
    """A scan of files that do not exist; row `changed` has another size and other times."""
    numbers = array("q")
    for row in range(len(names)):
        other = 1 if row == changed else 0
        numbers.extend((row, 4096 + other, 1_700_000_000_000_000_001 + other, 1_700_000_000_000_000_001 + other))
    step = -(-len(names) // folders)
    cut = [
        Folder(
            f"folder-{start:07}",
            names[start : start + step],
            numbers[start * NUMBERS_PER_FILE : (start + step) * NUMBERS_PER_FILE],
        )
        for start in range(0, len(names), step)
    ]
    return Scan("/nowhere/at/all", "", cut, time.time_ns())


def remember_made_up(index: StatIndex, found: Scan) -> int:
    """Remember `found` and say how many files would have been read."""
    recall = index.recall(found, XXH3)
    digests = [bytes([1]) + row.to_bytes(DIGEST_BYTES[XXH3], "big") for row in recall.changed]
    sizes = found.sizes()
    content_sum = ContentSum(count=len(found), size_bytes=sum(sizes))
    assert index.remember(found, recall, digests, [sizes[row] for row in recall.changed], content_sum)
    return len(recall.changed)


def size_on_disk(place: Path) -> int:
    return sum(path.stat().st_size for path in place.parent.iterdir())


@pytest.mark.parametrize("folders", [1, 1000])
def test_one_changed_file_of_100_000_grows_the_index_by_less_than_64_kib(place: Path, folders: int) -> None:
    names = [f"image-{row:06}.png" for row in range(100_000)]
    index = StatIndex.open(place)
    remember_made_up(index, made_up(names, folders=folders))
    index.close()
    before = size_on_disk(place)

    for changed in (0, 5_000, 77_777, 99_999):
        assert remember_made_up(index, made_up(names, changed=changed, folders=folders)) in (1, 2)
    index.close()

    assert size_on_disk(place) - before < GROWTH_BYTES_MAX


def test_files_that_come_and_go_one_by_one_keep_the_index_small(place: Path) -> None:
    names = [f"image-{row:06}.png" for row in range(5_000)]
    index = StatIndex.open(place)
    remember_made_up(index, made_up(names))
    index.close()
    before = size_on_disk(place)

    for round_number in range(30):
        names = sorted({*names[1:], f"image-{round_number * 7:06}-more.png"})
        remember_made_up(index, made_up(names))
    index.close()

    assert size_on_disk(place) < 2 * before


def test_a_folder_that_grows_file_by_file_past_its_chunks_stays_known(index: StatIndex, tmp_path: Path) -> None:
    for count in (1, CHUNK_NAMES, CHUNK_NAMES_MAX, CHUNK_NAMES_MAX + 1, 3 * CHUNK_NAMES_MAX):
        for i in range(count):
            (tmp_path / "tree" / f"{i * 7919 % 4001:04}").parent.mkdir(exist_ok=True)
            (tmp_path / "tree" / f"{i * 7919 % 4001:04}").write_bytes(b"%d" % i)
        log(index, tmp_path / "tree")

        again = log(index, tmp_path / "tree")

        assert again.read == []
        assert again.digests == truth(tmp_path / "tree")


def test_nothing_is_written_when_nothing_changed(index: StatIndex, place: Path, tree: Path) -> None:
    log(index, tree)
    index.close()
    before = place.read_bytes()

    log(index, tree)
    index.close()

    assert place.read_bytes() == before


def test_of_two_that_remember_at_once_the_first_is_kept_whole(place: Path, tree: Path) -> None:
    one, other = StatIndex.open(place), StatIndex.open(place)
    log(one, tree)
    (tree / "folder-0" / "file-00").write_bytes(b"the other's")
    inner: list[Logged] = []

    def overtake() -> None:
        (tree / "folder-1" / "file-01").write_bytes(b"and more")
        inner.append(log(one, tree))

    outer = log(other, tree, meanwhile=overtake)

    assert (inner[0].kept, outer.kept) == (True, False)
    again = log(other, tree)
    assert again.read == []
    assert again.digests == truth(tree)


def test_of_two_first_ones_only_one_is_kept(place: Path, tree: Path) -> None:
    one, other = StatIndex.open(place), StatIndex.open(place)
    inner: list[Logged] = []

    outer = log(other, tree, meanwhile=lambda: inner.append(log(one, tree)))

    assert (inner[0].kept, outer.kept) == (True, False)
    assert log(other, tree).digests == truth(tree)


def edit_and_log(place: Path, tree: Path, seed: int) -> None:
    """Change files that only this process changes, and log the whole tree, many times."""
    index = StatIndex.open(place)
    chance = random.Random(seed)
    for _ in range(40):
        name = f"folder-{seed}/file-{chance.randrange(4) * 3 + seed:02}"
        (tree / name).write_bytes(chance.randbytes(chance.randrange(1, 4)))
        mine = {path: digest for path, digest in truth(tree).items() if path.startswith(f"folder-{seed}/")}
        logged = log(index, tree, settled=False)
        assert {path: logged.digests[path] for path in mine} == mine
    index.close()


def test_processes_that_remember_one_tree_at_once_leave_it_true(place: Path, tree: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=edit_and_log, args=(place, tree, seed)) for seed in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    index = StatIndex.open(place)
    assert log(index, tree).digests == truth(tree)
    assert log(index, tree).read == []


def test_threads_share_an_index(index: StatIndex, tmp_path: Path) -> None:
    problems: list[object] = []

    def use(number: int) -> None:
        root = tmp_path / f"tree-{number}"
        root.mkdir()
        for i in range(10):
            (root / f"{i}").write_bytes(b"%d" % i)
            if log(index, root).digests != truth(root) or log(index, root).read:
                problems.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []


def in_a_child(work: Callable[[], bool]) -> bool:
    """What `work` says in a forked child; False when it raises or does not come back."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def test_both_sides_of_a_fork_use_the_index(index: StatIndex, tree: Path) -> None:
    log(index, tree)
    (tree / "folder-0" / "file-00").write_bytes(b"changed")

    def log_the_change() -> bool:
        logged = log(index, tree)
        index.close()
        return logged.kept and logged.read == ["folder-0/file-00"]

    assert in_a_child(log_the_change)
    assert log(index, tree).read == []
    assert log(index, tree).digests == truth(tree)


def test_a_fork_while_another_thread_uses_the_index_leaves_the_child_able_to(index: StatIndex, tree: Path) -> None:
    log(index, tree)
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            log(index, tree)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        able = [in_a_child(lambda: log(index, tree).digests == truth(tree)) for _ in range(20)]
    finally:
        stop.set()
        thread.join()

    assert able == [True] * 20


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
def test_a_damaged_index_is_made_anew(index: StatIndex, place: Path, tree: Path, spoil: Callable[[Path], None]) -> None:
    log(index, tree)
    index.close()
    spoil(place)

    first = log(index, tree)
    log(index, tree)
    index.close()

    assert first.digests == truth(tree)
    assert log(StatIndex.open(place), tree).read == []


def test_flipped_bits_never_give_a_wrong_digest(place: Path, tree: Path) -> None:
    index = StatIndex.open(place)
    log(index, tree)
    index.close()
    sound, chance = place.read_bytes(), random.Random(7)

    for _ in range(200):
        spoiled = bytearray(sound)
        for _ in range(3):
            spoiled[chance.randrange(100, len(spoiled))] ^= 1 << chance.randrange(8)
        place.write_bytes(spoiled)
        index = StatIndex.open(place)
        assert log(index, tree).digests == truth(tree)
        index.close()


@pytest.mark.parametrize(
    "tear",
    [
        "UPDATE chunks SET digests = zeroblob(length(digests)) WHERE id = 1",
        "DELETE FROM chunks WHERE id = 1",
        "UPDATE trees SET state = zeroblob(length(state))",
        "UPDATE trees SET count = count + 1",
    ],
)
def test_a_torn_tree_is_forgotten_whole(index: StatIndex, place: Path, tree: Path, tear: str) -> None:
    log(index, tree)
    index.close()
    with sqlite3.connect(place) as db:
        db.execute(tear)

    again = log(index, tree)

    assert len(again.read) == 12
    assert again.kept
    assert log(index, tree).read == []


@pytest.mark.parametrize("pragma", ["user_version = 2000000", "application_id = 7"])
def test_an_index_of_a_newer_release_or_another_program_is_left_alone(
    index: StatIndex, place: Path, tree: Path, pragma: str
) -> None:
    log(index, tree)
    index.close()
    with sqlite3.connect(place) as db:
        db.execute(f"PRAGMA {pragma}")
    before = place.read_bytes()

    first = log(StatIndex.open(place), tree)
    second = log(StatIndex.open(place), tree)

    assert len(first.read) == len(second.read) == 12
    assert first.digests == truth(tree)
    assert not first.kept
    assert place.read_bytes() == before


def test_a_locked_index_is_not_waited_for_long(index: StatIndex, place: Path, tree: Path) -> None:
    log(index, tree)
    holder = sqlite3.connect(place, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()

    while_locked = log(index, tree)
    waited_s = time.monotonic() - started
    holder.execute("ROLLBACK")
    holder.close()

    assert len(while_locked.read) == 12
    assert waited_s < 2 * BUSY_TIMEOUT_S + 1
    assert log(index, tree).read == []


def test_a_place_where_no_file_can_be_made_costs_only_the_reading(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "file").touch()
    index = StatIndex.open(tmp_path / "file" / "index.sqlite")

    for _ in range(5):
        logged = log(index, tree)
        assert len(logged.read) == 12
        assert not logged.kept
    index.close()


def log_with_small_files_only(place: Path, tree: Path) -> None:
    """A full disk's stand-in: no file of this process may grow beyond 16 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, 16 * 1024))
    index = StatIndex.open(place)
    for _ in range(5):
        assert log(index, tree).digests == truth(tree)
    index.remember_file(replace(scan_file(tree / "folder-0" / "file-00"), started_ns=1 << 62), digest_of(b"0"))
    index.close()


def test_a_full_disk_costs_only_the_reading(place: Path, tree: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=log_with_small_files_only, args=(place, tree))
    process.start()
    process.join(60)

    assert process.exitcode == 0
    index = StatIndex.open(place)
    log(index, tree)
    assert log(index, tree).read == []


def make_trees(tmp_path: Path, count: int) -> list[Path]:
    roots = [tmp_path / f"tree-{i}" for i in range(count)]
    for root in roots:
        root.mkdir()
        (root / "file").write_bytes(b"x")
    return roots


def test_the_least_recently_used_tree_makes_room(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = make_trees(tmp_path, 3)
    index = StatIndex.open(place, trees_max=2)
    now_s = time.time()
    for hour, root in enumerate((first, second, first, third)):
        monkeypatch.setattr(time, "time", lambda hour=hour: now_s + 2 * 3600 * hour)
        log(index, root)

    assert log(index, first).read == []
    assert log(index, third).read == []
    assert log(index, second).read == ["file"]


def test_the_index_stays_within_its_bytes(place: Path) -> None:
    index = StatIndex.open(place, bytes_max=256 * 1024)
    names = [f"{row:06}" for row in range(1_500)]
    for number in range(20):
        remember_made_up(index, replace(made_up(names), root=f"/nowhere/{number}"))
    index.close()

    assert size_on_disk(place) < 512 * 1024
    assert index.recall(replace(made_up(names), root="/nowhere/19"), XXH3).changed == []


def test_a_tree_that_is_too_large_alone_is_not_kept_and_harms_no_other_knowledge(place: Path, tree: Path) -> None:
    index = StatIndex.open(place, bytes_max=256 * 1024)
    log(index, tree)
    huge = made_up([f"{row:06}" for row in range(20_000)])
    recall = index.recall(huge, XXH3)

    kept = index.remember(huge, recall, [digest_of(b"")] * 20_000, [0] * 20_000, NOTHING)

    assert not kept
    assert log(index, tree).read == []


def settled_file(path: Path) -> ScannedFile:
    found = scan_file(path)
    return replace(found, started_ns=found.started_ns + LATER_NS)


def test_a_single_file_is_known_until_it_changes(index: StatIndex, place: Path, tree: Path) -> None:
    path = tree / "folder-0" / "file-00"
    assert index.recall_file(scan_file(path), XXH3) is None

    index.remember_file(settled_file(path), digest_of(b"0"))
    assert index.recall_file(scan_file(path), XXH3) == digest_of(b"0")
    index.close()
    assert StatIndex.open(place).recall_file(scan_file(path), XXH3) == digest_of(b"0")
    assert index.recall_file(scan_file(path), BLAKE3) is None
    path.write_bytes(b"changed")
    assert index.recall_file(scan_file(path), XXH3) is None


def test_a_young_single_file_is_not_trusted(index: StatIndex, tree: Path) -> None:
    path = tree / "folder-0" / "file-00"
    path.write_bytes(b"young")

    index.remember_file(scan_file(path), digest_of(b"young"))

    assert index.recall_file(scan_file(path), XXH3) is None


def test_single_files_are_written_in_batches_and_their_number_is_bounded(
    index: StatIndex, place: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_index, "FILES_MAX", 100)
    monkeypatch.setattr(_index, "FILES_PENDING_MAX", 30)
    found = settled_file(tree / "folder-0" / "file-00")
    for number in range(250):
        index.remember_file(replace(found, location=f"/nowhere/{number}"), digest_of(b"0"))
    index.close()

    known = [n for n in range(250) if index.recall_file(replace(found, location=f"/nowhere/{n}"), XXH3)]

    assert known == list(range(150, 250))


def test_a_spoiled_row_of_a_single_file_is_not_trusted(index: StatIndex, place: Path, tree: Path) -> None:
    path = tree / "folder-0" / "file-00"
    index.remember_file(settled_file(path), digest_of(b"0"))
    index.close()
    with sqlite3.connect(place) as db:
        db.execute("UPDATE files SET digest = ?", (digest_of(b"1"),))

    assert index.recall_file(scan_file(path), XXH3) is None
