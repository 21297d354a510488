"""Change one file of 100,000 and log: how much store, cache and index grow by the time that the process has ended."""

import os
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Bench, Figure, Home, Result, bytes_in, parts_of, run, timed
from bench.logging_runs import log_folder
from bench.trees import SMALL_FILE_BYTES, file_in, let_age, make_tree, walk

FILES, FOLDERS = 100_000, 1000
GROWTH_BYTES_MAX = 64 * 1024
ROUNDS = 5  # a file of SQLite's grows by pages now and then, so a few rounds more than for times


def measure(bench: Bench) -> Iterator[Figure]:
    files, folders = bench.size(FILES), bench.size(FOLDERS)
    tree = make_tree(bench.folder("tree"), files=files, folders=folders)
    home = bench.home()
    let_age(bench)
    run(home, log_folder, folder=tree)
    results, growths = [], []
    for n in range(ROUNDS):
        before = _sizes(home)
        results.append(_change_and_log(home, tree, file_in(tree, files // 2 + n, folders)))
        growths.append({part: size - before[part] for part, size in _sizes(home).items()})
    totals = sorted(sum(growth.values()) for growth in growths)
    detail = {"files": files, **parts_of(results), "grown": growths, "walk_s": timed(lambda: walk(str(tree)))}
    yield Figure(
        bench="change-growth",
        value=totals[len(totals) // 2],
        unit="bytes",
        limit=None,
        ratio=None,
        reach=f"every round less than {GROWTH_BYTES_MAX} bytes",
        ok=totals[-1] < GROWTH_BYTES_MAX and [result["version"] for result in results][-1] == f"v{ROUNDS}",
        runs=totals,
        detail=detail,
    )


def _change_and_log(home: Home, tree: Path, file: str) -> Result:
    with open(file, "r+b") as changed:
        changed.write(os.urandom(SMALL_FILE_BYTES))
    return run(home, log_folder, folder=tree)


def _sizes(home: Home) -> dict[str, int]:
    return {**home.sizes(), "cache": bytes_in(home.cache)}
