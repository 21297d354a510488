"""One cache that several processes, threads and forks use at once."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from headwater._ingest.stat_cache import StatCache

from tests.sdk.stat_caches import LoggedFolder, log, truth
from tests.sdk.stat_caches import cache as cache
from tests.sdk.stat_caches import place as place
from tests.sdk.stat_caches import tree as tree
from tests.support.warm_processes import warm


def test_of_two_that_remember_at_once_the_first_is_kept_whole(place: Path, tree: Path) -> None:
    one, other = StatCache.open(place), StatCache.open(place)
    log(one, tree)
    (tree / "folder-0" / "file-00").write_bytes(b"the other's")
    inner: list[LoggedFolder] = []

    def overtake() -> None:
        (tree / "folder-1" / "file-01").write_bytes(b"and more")
        inner.append(log(one, tree))

    outer = log(other, tree, meanwhile=overtake)

    assert (inner[0].kept, outer.kept) == (True, False)
    again = log(other, tree)
    assert again.read == []
    assert again.digests == truth(tree)


def test_of_two_first_ones_only_one_is_kept(place: Path, tree: Path) -> None:
    one, other = StatCache.open(place), StatCache.open(place)
    inner: list[LoggedFolder] = []

    outer = log(other, tree, meanwhile=lambda: inner.append(log(one, tree)))

    assert (inner[0].kept, outer.kept) == (True, False)
    assert log(other, tree).digests == truth(tree)


def edit_and_log(place: Path, tree: Path, seed: int) -> None:
    """Change files that only this process changes, and log the whole tree, many times."""
    cache = StatCache.open(place)
    chance = random.Random(seed)
    for _ in range(40):
        name = f"folder-{seed}/file-{chance.randrange(4) * 3 + seed:02}"
        (tree / name).write_bytes(chance.randbytes(chance.randrange(1, 4)))
        mine = {path: digest for path, digest in truth(tree).items() if path.startswith(f"folder-{seed}/")}
        logged = log(cache, tree, settled=False)
        assert {path: logged.digests[path] for path in mine} == mine
    cache.close()


def test_processes_that_remember_one_tree_at_once_leave_it_true(place: Path, tree: Path) -> None:
    processes = [warm.Process(target=edit_and_log, args=(place, tree, seed)) for seed in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    cache = StatCache.open(place)
    assert log(cache, tree).digests == truth(tree)
    assert log(cache, tree).read == []


def test_threads_share_a_cache(cache: StatCache, tmp_path: Path) -> None:
    problems: list[object] = []

    def use(number: int) -> None:
        root = tmp_path / f"tree-{number}"
        root.mkdir()
        for i in range(10):
            (root / f"{i}").write_bytes(b"%d" % i)
            if log(cache, root).digests != truth(root) or log(cache, root).read:
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


def test_both_sides_of_a_fork_use_the_cache(cache: StatCache, tree: Path) -> None:
    log(cache, tree)
    (tree / "folder-0" / "file-00").write_bytes(b"changed")

    def log_the_change() -> bool:
        logged = log(cache, tree)
        cache.close()
        return logged.kept and logged.read == ["folder-0/file-00"]

    assert in_a_child(log_the_change)
    assert log(cache, tree).read == []
    assert log(cache, tree).digests == truth(tree)


def test_a_fork_while_another_thread_uses_the_cache_leaves_the_child_able_to(cache: StatCache, tree: Path) -> None:
    log(cache, tree)
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            log(cache, tree)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        able = [in_a_child(lambda: log(cache, tree).digests == truth(tree)) for _ in range(20)]
    finally:
        stop.set()
        thread.join()

    assert able == [True] * 20
