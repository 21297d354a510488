"""Log 20,000 files again, unchanged. Limit: `scandir` and `stat` of the tree."""

from collections.abc import Iterator
from functools import partial

from bench.harness import Bench, Figure, Result, bytes_in, parts_of, run, timed
from bench.log_small import FILES, FOLDERS
from bench.logging_runs import log_folder
from bench.trees import make_tree, walk, warm

RATIO_MAX = 3.0


def measure(bench: Bench) -> Iterator[Figure]:
    tree = make_tree(bench.folder("tree"), files=bench.size(FILES), folders=bench.size(FOLDERS))
    home = bench.home()
    run(home, log_folder, folder=tree)
    before = bytes_in(home.store / "blobs")
    results: list[Result] = []

    def log() -> float:
        results.append(run(home, log_folder, folder=tree))
        return float(results[-1]["seconds"])

    pairs = bench.paired(log, lambda: timed(lambda: walk(str(tree))), warm=partial(warm, tree))
    grown = bytes_in(home.store / "blobs") - before
    yield pairs.figure(
        "relog",
        unit="s",
        reach=f"at most {RATIO_MAX} x scandir and stat, no new content bytes",
        ok=pairs.ratio <= RATIO_MAX and grown == 0 and all(result["version"] == "v0" for result in results),
        detail={"content_bytes_added": grown, **parts_of(results)},
    )
