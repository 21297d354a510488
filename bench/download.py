"""Download 20,000 files of 4 KiB into an empty folder, verified. Limit: `cp -r` of the same tree."""

from collections.abc import Iterator

from bench.harness import Bench, Figure, Limit, Result, parts_of, run
from bench.log_small import FILES, FOLDERS
from bench.logging_runs import download_folder, log_folder
from bench.trees import copy_seconds, make_tree, walk, warm

RATIO_MAX = 2.0


def measure(bench: Bench) -> Iterator[Figure]:
    files = bench.size(FILES)
    tree = make_tree(bench.folder("tree"), files=files, folders=bench.size(FOLDERS))
    home = bench.home()
    run(home, log_folder, folder=tree)
    copying = Limit("`cp -r`", lambda: copy_seconds(tree, bench.folder("copy")), RATIO_MAX)
    limit = bench.limit_of_fetching(tree, copying)
    results: list[Result] = []
    complete: list[bool] = []

    def download() -> float:
        target = bench.folder("download")
        results.append(run(home, download_folder, folder=target))
        complete.append(walk(str(target)) == files)
        return float(results[-1]["seconds"])

    def warm_all() -> None:
        for folder in (tree, home.store / "blobs"):
            warm(folder)

    pairs = bench.paired(download, limit.seconds, warm=warm_all)
    yield pairs.figure(
        "download",
        unit="s",
        reach=limit.reach,
        ok=limit.is_reached(pairs) and all(complete),
        detail=parts_of(results),
    )
