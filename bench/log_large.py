"""Log 8 files of 256 MiB. Limit: XXH3 of them on one thread, then one copy."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from xxhash import xxh3_128

from bench.harness import Bench, Figure, Result, parts_of, remove, run, settle, timed
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
        remove(home.store / "blobs" / "objects" / "files")  # few inodes, many bytes
        return float(results[-1]["seconds"])

    def limit() -> float:
        hashing.append(timed(lambda: _hash(tree)))
        copy = bench.folder("copy")
        copying = copy_seconds(tree, copy)
        synced.append(hashing[-1] + copying + timed(settle))
        remove(copy)
        return hashing[-1] + copying

    pairs = bench.paired(log, limit, warm=partial(warm, tree))
    detail = {
        **parts_of(results),
        "hash_s": sorted(hashing)[len(hashing) // 2],
        "limit_when_on_the_disk_s": sorted(synced)[len(synced) // 2],  # as what is logged is
        "peak_bytes": max(result["peak_bytes"] for result in results),
    }
    reach = f"at most {RATIO_MAX} x XXH3 and one copy"
    yield pairs.figure("log-large", unit="s", reach=reach, ok=pairs.ratio <= RATIO_MAX, detail=detail)


def _hash(tree: Path) -> None:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    for path in sorted(tree.rglob("*.bin")):
        hasher = xxh3_128()
        with open(path, "rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while got := file.readinto(buffer):
                hasher.update(buffer[:got])
