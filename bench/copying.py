"""Copy a store of 20,000 files of 4 KiB in 100 versions, folder to folder. Limit: `cp -r` of the same files."""

from collections.abc import Iterator

import headwater
from headwater_stores.store_copy import copy_store

from bench.harness import Bench, Figure, Laps, Limit, Result, parts_of, run
from bench.logging_runs import NAME
from bench.trees import copy_seconds, make_tree, warm

FILES, VERSIONS = 20_000, 100
RATIO_MAX = 2.0


def measure(bench: Bench) -> Iterator[Figure]:
    files, versions = bench.size(FILES), bench.size(VERSIONS)
    tree = make_tree(bench.folder("tree"), files=files, folders=versions)
    home = bench.home()
    run(home, log_versions, folder=str(tree), versions=versions)
    limit = Limit("`cp -r`", lambda: copy_seconds(tree, bench.folder("copy")), RATIO_MAX)
    results: list[Result] = []

    def copy() -> float:
        results.append(run(home, copy_whole, source=str(home.store), target=str(bench.folder("target"))))
        return float(results[-1]["seconds"])

    def warm_both() -> None:
        for folder in (tree, home.store):
            warm(folder)

    pairs = bench.paired(copy, limit.seconds, warm=warm_both)
    yield pairs.figure(
        "copy",
        unit="s",
        reach=limit.reach,
        ok=limit.is_reached(pairs) and all(result["events"] >= versions for result in results),
        detail={"files": files, "versions": versions, **parts_of(results)},
    )


def log_versions(folder: str, versions: int) -> Result:
    """Each of the tree's folders is a version."""
    with headwater.init(job_type="bench") as handle:
        for n in range(versions):
            artifact = headwater.Artifact(NAME, type="dataset")
            artifact.add_dir(f"{folder}/{n:04d}")
            handle.log_artifact(artifact)
    return {}


def copy_whole(source: str, target: str) -> Result:
    """A whole copy, which is durable when it ends."""
    laps = Laps()
    report = copy_store(source, target)
    laps.lap("copy")
    return {**laps.result(), "events": report.records}
