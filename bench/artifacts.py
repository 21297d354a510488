"""One run handle logs 10,000 small artifacts without waiting. Limit: the bare write side of the same facts."""

from collections.abc import Iterator

import headwater
from headwater._commit.write_queue import TASKS_PER_BATCH

from bench.harness import Bench, Figure, Home, Laps, Pairs, Result, at_least, parts_of, run, settle

ARTIFACTS = 10_000
PER_SECOND_MIN = 1500


def measure(bench: Bench) -> Iterator[Figure]:
    count = bench.size(ARTIFACTS)
    results: list[Result] = []
    rates, limits = [], []
    for _ in range(bench.rounds):
        home: Home = bench.home()
        settle()
        results.append(run(home, log_many, count=count))
        settle()
        bare = bench.seconds_of_recording(home, -(-count // TASKS_PER_BATCH))
        rates.append(count / results[-1]["seconds"])
        limits.append(count / bare)
    pairs = Pairs(rates, limits)
    floor = bench.floor(PER_SECOND_MIN)
    yield pairs.figure(
        "artifacts",
        unit="artifacts/s",
        reach=at_least(floor),
        ok=pairs.value >= floor,
        detail={"artifacts": count, **parts_of(results)},
    )


def log_many(count: int) -> Result:
    """From `init` until all are recorded and the run is over. Each artifact has one file of its own content."""
    laps = Laps()
    with headwater.init(job_type="bench") as run_handle:
        laps.lap("init")
        for n in range(count):
            artifact = headwater.Artifact(f"small-{n}", type="result")
            with artifact.new_file("result.json") as file:
                file.write(f'{{"n": {n}}}')
            run_handle.log_artifact(artifact)
        laps.lap("calls")
    laps.lap("leave")
    return laps.result()
