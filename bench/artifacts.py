"""One run handle logs 10,000 small artifacts without waiting. Limit: the bare write side of the same facts."""

from collections.abc import Iterator

import headwater
from headwater._commit.write_queue import TASKS_PER_BATCH

from bench.harness import Bench, Figure, Laps, Result, at_least, parts_of, run
from bench.logging_runs import small_artifact

ARTIFACTS = 10_000
RATIO_MIN = 0.2


def measure(bench: Bench) -> Iterator[Figure]:
    count = bench.size(ARTIFACTS)
    batches = -(-count // TASKS_PER_BATCH)
    pairs, results = bench.rates_of_recording(count, batches, lambda home: run(home, log_many, count=count))
    floor = bench.floor(RATIO_MIN)
    yield pairs.figure(
        "artifacts",
        unit="artifacts/s",
        reach=at_least(floor),
        ok=pairs.ratio >= floor,
        detail={"artifacts": count, **parts_of(results)},
    )


def log_many(count: int) -> Result:
    """From `init` until all are recorded and the run is over. Each artifact has one file of its own content."""
    laps = Laps()
    with headwater.init(job_type="bench") as run_handle:
        laps.lap("init")
        for n in range(count):
            run_handle.log_artifact(small_artifact(f"small-{n}", f'{{"n": {n}}}'))
        laps.lap("calls")
    laps.lap("leave")
    return laps.result()
