"""Log 8 files of 256 MiB. Limit: XXH3 of them on one thread, then one copy."""

import os
import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from xxhash import xxh3_128

from bench.harness import Bench, Figure, Limit, Result, parts_of, remove, run, settle, timed
from bench.logging_runs import log_folder
from bench.trees import copy_seconds, make_tree, warm

FILES, FILE_BYTES = 8, 256 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
RATIO_MAX = 1.2


def measure(bench: Bench) -> Iterator[Figure]:
    tree = make_tree(bench.folder("tree"), files=FILES, folders=1, size=bench.size(FILE_BYTES))
    results: list[Result] = []
    hashing: list[float] = []
    synced: list[float] = []

    def log() -> float:
        home = bench.home()
        results.append(run(home, log_folder, folder=tree))
        home.forget_content()  # few inodes, many bytes
        return float(results[-1]["seconds"])

    def hash_and_copy() -> float:
        hashing.append(timed(lambda: _hash(tree)))
        copy = bench.folder("copy")
        copying = copy_seconds(tree, copy)
        synced.append(hashing[-1] + copying + timed(settle))
        remove(copy)
        return hashing[-1] + copying

    limit = bench.limit_of_logging(tree, Limit("XXH3 and one copy", hash_and_copy, RATIO_MAX))
    pairs = bench.paired(log, limit.seconds, warm=partial(warm, tree))
    detail: Result = {**parts_of(results), "peak_bytes": max(result["peak_bytes"] for result in results)}
    if hashing:
        detail["hash_s"] = statistics.median(hashing)
        detail["limit_when_on_the_disk_s"] = statistics.median(synced)  # as what is logged is
    yield pairs.figure("log-large", unit="s", reach=limit.reach, ok=limit.is_reached(pairs), detail=detail)


def _hash(tree: Path) -> None:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    for path in sorted(tree.rglob("*.bin")):
        hasher = xxh3_128()
        with open(path, "rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while got := file.readinto(buffer):
                hasher.update(buffer[:got])
