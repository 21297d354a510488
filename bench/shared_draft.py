"""64 processes upsert 1,000 entries each into one draft. Limit: one process adding the same 64,000."""

import time
from collections.abc import Iterator

import headwater

from bench.harness import Bench, Figure, Home, Pairs, Result, run, run_together, settle
from bench.logging_runs import make_store

PROCESSES, ENTRIES = 64, 1000
QUICK_PROCESSES = 4  # starting them is what takes time
RATIO_MAX = 1.5
RATIO_MAX_ON_SERVERS = 1.3
GROUP = "bench"


def measure(bench: Bench) -> Iterator[Figure]:
    """In a folder."""
    yield _measured(bench, RATIO_MAX)


def measure_on_servers(bench: Bench) -> Iterator[Figure]:
    """On servers."""
    yield _measured(bench, RATIO_MAX_ON_SERVERS)


def _measured(bench: Bench, ratio_max: float) -> Figure:
    processes = QUICK_PROCESSES if bench.quick else PROCESSES
    entries = bench.size(ENTRIES)
    together: list[float] = []
    alone: list[float] = []
    errors = 0
    for _ in range(bench.rounds):
        home = _made(bench)
        results = run_together([(home, {"writer": n, "entries": entries}) for n in range(processes)], upsert)
        finished = run(home, finish, writers=processes)
        together.append(_seconds(results) + finished["seconds"])
        errors += sum(result["errors"] for result in results) + (finished["entries"] != processes * entries)
        other = _made(bench)
        alone.append(_seconds([run(other, add_all, processes=processes, entries=entries)]))
    pairs = Pairs(together, alone)
    return pairs.figure(
        "shared-draft",
        unit="s",
        reach=f"no error, at most {ratio_max} x one process adding the same",
        ok=errors == 0 and pairs.ratio <= ratio_max,
        detail={"processes": processes, "entries_each": entries, "errors": errors},
    )


def upsert(writer: int, entries: int) -> Result:
    """One writer's whole stay."""
    start, errors = time.monotonic(), 0
    try:
        with headwater.init(group=GROUP) as run_handle:
            run_handle.upsert_artifact(_filled(range(writer * entries, (writer + 1) * entries)))
    except headwater.HeadwaterError:
        errors = 1
    return {"start": start, "end": time.monotonic(), "errors": errors}


def finish(writers: int) -> Result:
    """The last one's."""
    start = time.monotonic()
    with headwater.init(group=GROUP) as run_handle:
        artifact = headwater.Artifact("shared", "dataset")
        version = run_handle.finish_artifact(artifact, writers=writers).wait()
    return {"seconds": time.monotonic() - start, "entries": version.file_count}


def add_all(processes: int, entries: int) -> Result:
    """One process that adds everything."""
    start = time.monotonic()
    with headwater.init() as run_handle:
        run_handle.log_artifact(_filled(range(processes * entries))).wait()
    return {"start": start, "end": time.monotonic()}


def _made(bench: Bench) -> Home:
    home = bench.home()
    run(home, make_store)
    settle()
    return home


def _filled(numbers: range) -> headwater.Artifact:
    artifact = headwater.Artifact("shared", "dataset")
    for n in numbers:
        with artifact.new_file(f"{n // 1000:03d}/{n:06d}.txt") as file:
            file.write(f"entry {n}")
    return artifact


def _seconds(results: list[Result]) -> float:
    return float(max(result["end"] for result in results) - min(result["start"] for result in results))
