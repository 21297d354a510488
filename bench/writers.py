"""Many processes commit 20 times each, half of it to one artifact. Limit: bare commits from as many processes."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import headwater

from bench.harness import Bench, Figure, Home, Pairs, Result, at_least, run, run_together, settle
from bench.logging_runs import small_artifact
from bench.stages import Stages

PROCESSES, COMMITS = 16, 20
QUICK_PROCESSES = 4  # starting them is what takes time
BARE_COMMITS = 200  # ten times as many, so that starting up does not count
RATIO_MIN = 0.2  # to the bare write side
SLOWEST_MAX = 3.0  # times the median process


def measure(bench: Bench) -> Iterator[Figure]:
    yield measured(bench, "writers", PROCESSES, ratio_min=bench.floor(RATIO_MIN))


def measure_more(bench: Bench) -> Iterator[Figure]:
    """Twice as many processes, on servers."""
    yield measured(bench, "writers-32", 2 * PROCESSES, ratio_min=RATIO_MIN)


def measured(bench: Bench, name: str, processes: int, *, ratio_min: float) -> Figure:
    """The figure of so many processes. `ratio_min`: to the bare write side; 0 where nothing is asked."""
    processes = QUICK_PROCESSES if bench.quick else processes
    taken: list[Result] = []
    limits: list[float] = []
    for _ in range(bench.rounds):
        home = bench.home()
        run(home, commit, name="first", commits=1)  # makes the store
        settle()
        each = [(home, {"name": f"own-{n}", "commits": COMMITS}) for n in range(processes)]
        taken.append(together(each, commit))
        bare, arguments = bench.bare_commits(home)
        settle()
        of_bare = (Home(bench.folder("bare")), {**arguments, "commits": BARE_COMMITS})
        limits.append(together([of_bare] * processes, bare)["per_second"])
    pairs = Pairs([result["per_second"] for result in taken], limits)
    errors = sum(result["errors"] for result in taken)
    slowest = statistics.median(result["slowest_to_median"] for result in taken)
    return pairs.figure(
        name,
        unit="commits/s",
        reach=f"{at_least(ratio_min)}, no error, the slowest process within {SLOWEST_MAX} x the median",
        ok=pairs.ratio >= ratio_min and errors == 0 and slowest <= SLOWEST_MAX,
        detail={"processes": processes, "errors": errors, "slowest_to_median": slowest, "rounds": taken},
    )


def commit(name: str, commits: int) -> Result:
    """One writer's whole stay: a run that logs and waits, turn by turn to `shared` and to its own artifact."""
    start, cpu_before_s, errors = time.monotonic(), time.process_time(), 0
    with Stages() as stages:
        with headwater.init(job_type="writer") as run_handle:
            stages.lap("init")
            for n in range(commits):
                artifact = small_artifact("shared" if n % 2 else name, f"{name} {n}")
                run_handle.log_artifact(artifact)
                try:
                    artifact.wait()
                except headwater.HeadwaterError:
                    errors += 1
            stages.lap("commits")
        stages.lap("leave")
    end, cpu_s = time.monotonic(), time.process_time() - cpu_before_s
    return {"start": start, "end": end, "cpu_s": cpu_s, "errors": errors, "commits": commits, "stages": stages.seconds}


def together(each: list[tuple[Home, dict[str, Any]]], function: Callable[..., Result]) -> Result:
    """What several processes reached that ran `function` at once."""
    results = run_together(each, function)
    commits = sum(result["commits"] for result in results)
    seconds = max(result["end"] for result in results) - min(result["start"] for result in results)
    stays = [result["end"] - result["start"] for result in results]
    return {
        "per_second": commits / seconds,
        "errors": sum(result["errors"] for result in results),
        "slowest_to_median": max(stays) / statistics.median(stays),
        "stages_s": _mean([result.get("stages", {}) for result in results]),
    }


def _mean(each: list[dict[str, float]]) -> dict[str, float]:
    """Of one process's whole stay."""
    return {stage: statistics.fmean(found[stage] for found in each) for stage in each[0]}
