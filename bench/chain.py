"""10,000 runs in a chain: each uses two artifacts, logs one and waits. Limit: the bare write side of the facts."""

from collections.abc import Iterator

import headwater

from bench.harness import Bench, Figure, Laps, Result, at_least, run
from bench.logging_runs import small_artifact

RUNS = 10_000
RATIO_MIN = 0.3


def measure(bench: Bench) -> Iterator[Figure]:
    count = bench.size(RUNS)
    pairs, _ = bench.rates_of_recording(count, count, lambda home: run(home, run_chain, count=count))
    floor = bench.floor(RATIO_MIN)
    yield pairs.figure(
        "chain",
        unit="runs/s",
        reach=at_least(floor),
        ok=pairs.ratio >= floor,
        detail={"runs": count},
    )


def run_chain(count: int) -> Result:
    """Each run uses what the two before it logged."""
    laps = Laps()
    for n in range(count):
        with headwater.init(job_type="step", id=f"step-{n}") as run_handle:
            for before in range(max(0, n - 2), n):
                run_handle.use_artifact(f"node-{before}:latest")
            run_handle.log_artifact(small_artifact(f"node-{n}", f'{{"n": {n}}}')).wait()
    laps.lap("runs")
    return laps.result()
