"""CPU time of one more commit, in each process that takes part: many writers, the projector, and each server.

Told as the difference of two rounds with as many writers, so that what they take to begin and to end does not count.
"""

import statistics
from collections.abc import Iterator

from bench.harness import Figure, run, run_together, settle
from bench.on_servers import ServerBench, ServerHome
from bench.writers import COMMITS, PROCESSES, QUICK_PROCESSES, commit

MS_MAX = 15.0
WRITER, PROJECTOR = "writer", "projector"


def measure(bench: ServerBench) -> Iterator[Figure]:
    processes = QUICK_PROCESSES if bench.quick else PROCESSES
    rounds = [_ms_of_one_commit(bench, processes) for _ in range(bench.rounds)]
    totals = [sum(taken.values()) for taken in rounds]
    yield Figure(
        bench="commit-cpu",
        value=statistics.median(totals),
        unit="ms",
        limit=None,
        ratio=None,
        reach=f"at most {MS_MAX:g} ms in all",
        ok=statistics.median(totals) <= MS_MAX,
        runs=totals,
        detail={"processes": processes, "commits_each": COMMITS, "rounds_ms": rounds},
    )


def _ms_of_one_commit(bench: ServerBench, processes: int) -> dict[str, float]:
    home = bench.home()
    run(home, commit, name="first", commits=1)  # makes the store
    once = _used_s(bench, home, processes, 1)
    more = _used_s(bench, home, processes, 1 + COMMITS)
    return {part: (more[part] - once[part]) * 1000 / (processes * COMMITS) for part in more}


def _used_s(bench: ServerBench, home: ServerHome, processes: int, commits: int) -> dict[str, float]:
    """Seconds of CPU that so many writers took, and others for them."""
    settle()
    before = _of_others_s(bench)
    results = run_together([(home, {"name": f"own-{n}", "commits": commits}) for n in range(processes)], commit)
    after = _of_others_s(bench)
    return {
        WRITER: sum(result["cpu_s"] for result in results),
        **{part: after[part] - before[part] for part in after},
    }


def _of_others_s(bench: ServerBench) -> dict[str, float]:
    return {PROJECTOR: bench.projector_cpu_s(), **bench.servers.cpu_by_server()}
