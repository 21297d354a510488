"""16 processes commit 20 times each, half of it to one artifact. Limit: bare SQLite commits from 16 processes."""

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import headwater

from bench.harness import Bench, Figure, Pairs, Result, run, run_together, settle

PROCESSES, COMMITS = 16, 20
BARE_COMMITS = 200  # ten times as many, so that starting up does not count
PER_SECOND_MIN = 300
SLOWEST_MAX = 3.0  # times the median process
EVENTS_PER_COMMIT = 3
EVENT_BYTES = 200
BUSY_TIMEOUT_S = 60.0


def measure(bench: Bench) -> Iterator[Figure]:
    taken: list[Result] = []
    limits: list[float] = []
    for _ in range(bench.rounds):
        home = bench.home()
        run(home, commit, name="first", commits=1)  # makes the store
        settle()
        taken.append(_together(lambda n, home=home: (home, {"name": f"own-{n}", "commits": COMMITS}), commit))
        bare = bench.home()
        bare.folder.mkdir()
        _make_bare(str(bare.folder / "bare.db"))
        settle()
        arguments = {"file": bare.folder / "bare.db", "commits": BARE_COMMITS}
        limits.append(_together(lambda _, bare=bare, arguments=arguments: (bare, arguments), commit_bare)["per_second"])
    pairs = Pairs([result["per_second"] for result in taken], limits)
    errors = sum(result["errors"] for result in taken)
    slowest = statistics.median(result["slowest_to_median"] for result in taken)
    yield pairs.figure(
        "writers",
        unit="commits/s",
        reach=f"at least {PER_SECOND_MIN}/s, no error, the slowest process within {SLOWEST_MAX} x the median",
        ok=pairs.value >= PER_SECOND_MIN and errors == 0 and slowest <= SLOWEST_MAX,
        detail={"errors": errors, "slowest_to_median": slowest, "rounds": taken},
    )


def commit(name: str, commits: int) -> Result:
    """One writer's whole stay: a run that logs and waits, turn by turn to `shared` and to its own artifact."""
    start, errors = time.monotonic(), 0
    with headwater.init(job_type="writer") as run_handle:
        for n in range(commits):
            artifact = headwater.Artifact("shared" if n % 2 else name, type="result")
            with artifact.new_file("result.txt") as file:
                file.write(f"{name} {n}")
            run_handle.log_artifact(artifact)
            try:
                artifact.wait()
            except headwater.HeadwaterError:
                errors += 1
    return {"start": start, "end": time.monotonic(), "errors": errors, "commits": commits}


def commit_bare(file: str, commits: int) -> Result:
    """As many commits of as many rows as one version's events, as durable."""
    start = time.monotonic()
    with closing(sqlite3.connect(file, isolation_level=None, timeout=BUSY_TIMEOUT_S)) as database:
        database.execute("PRAGMA synchronous = FULL")
        for _ in range(commits):
            database.execute("BEGIN IMMEDIATE")
            rows = [("key", bytes(EVENT_BYTES))] * EVENTS_PER_COMMIT
            database.executemany("INSERT INTO records (key, payload) VALUES (?, ?)", rows)
            database.execute("COMMIT")
    return {"start": start, "end": time.monotonic(), "errors": 0, "commits": commits}


def _make_bare(file: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL").fetchall()
        database.execute("CREATE TABLE records (offset INTEGER PRIMARY KEY, key TEXT, payload BLOB)")


def _together(arguments_of: Callable[..., tuple[object, dict[str, object]]], function: Callable[..., Result]) -> Result:
    results = run_together([arguments_of(n) for n in range(PROCESSES)], function)  # type: ignore[misc]
    commits = sum(result["commits"] for result in results)
    seconds = max(result["end"] for result in results) - min(result["start"] for result in results)
    each = [result["end"] - result["start"] for result in results]
    return {
        "per_second": commits / seconds,
        "errors": sum(result["errors"] for result in results),
        "slowest_to_median": max(each) / statistics.median(each),
    }
