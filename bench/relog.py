"""Log 20,000 files again, unchanged. Limit: `scandir` and `stat` of the tree."""

from collections.abc import Iterator
from functools import partial

from bench.harness import Bench, Figure, Limit, Result, parts_of, run, timed
from bench.log_small import FILES, FOLDERS
from bench.logging_runs import log_folder
from bench.trees import let_age, make_tree, walk, warm

RATIO_MAX = 3.0


def measure(bench: Bench) -> Iterator[Figure]:
    tree = make_tree(bench.folder("tree"), files=bench.size(FILES), folders=bench.size(FOLDERS))
    home = bench.home()
    let_age(bench)
    run(home, log_folder, folder=tree)
    before = home.sizes()["blobs"]
    walking = Limit("scandir and stat", lambda: timed(lambda: walk(str(tree))), RATIO_MAX)
    limit = bench.limit_of_nothing_new(home, walking)
    results: list[Result] = []

    def log() -> float:
        results.append(run(home, log_folder, folder=tree))
        return float(results[-1]["seconds"])

    pairs = bench.paired(log, limit.seconds, warm=partial(warm, tree))
    grown = home.sizes()["blobs"] - before
    yield pairs.figure(
        "relog",
        unit="s",
        reach=f"{limit.reach}, no new content bytes",
        ok=limit.is_reached(pairs) and grown == 0 and all(result["version"] == "v0" for result in results),
        detail={"content_bytes_added": grown, **parts_of(results)},
    )
