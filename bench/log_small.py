"""Log 20,000 files of 4 KiB in 200 folders. Limit: `cp -r` of the same tree."""

from collections.abc import Iterator
from functools import partial

from bench.harness import Bench, Figure, Limit, Result, parts_of, run
from bench.logging_runs import log_folder
from bench.trees import copy_seconds, make_tree, warm

FILES, FOLDERS = 20_000, 200
RATIO_MAX = 1.2


def measure(bench: Bench) -> Iterator[Figure]:
    tree = make_tree(bench.folder("tree"), files=bench.size(FILES), folders=bench.size(FOLDERS))
    copying = Limit("`cp -r`", lambda: copy_seconds(tree, bench.folder("copy")), RATIO_MAX)
    limit = bench.limit_of_logging(tree, copying)
    results: list[Result] = []

    def log() -> float:
        results.append(run(bench.home(), log_folder, folder=tree))
        return float(results[-1]["seconds"])

    pairs = bench.paired(log, limit.seconds, warm=partial(warm, tree))
    detail = {**parts_of(results), "peak_bytes": max(result["peak_bytes"] for result in results)}
    yield pairs.figure(
        "log-small",
        unit="s",
        reach=limit.reach,
        ok=limit.is_reached(pairs),
        detail={"files": bench.size(FILES), "measured": "init to end of run, new store", **detail},
    )
