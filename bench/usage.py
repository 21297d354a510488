"""`headwater usage` of 1,000,000 versions as last counted: the whole command, and beside it how long counting takes."""

import json
import subprocess
from collections.abc import Iterator

from bench.fabricated import PROJECT, files, opened, version_events, write
from bench.harness import Bench, BenchFailed, Figure, Home, Result, run, timed
from bench.page_rows import fill
from bench.start import COMMAND

VERSION_COUNT, RUN_COUNT = 1_000_000, 1_000
ASKED = 5  # times, after once
USAGE_S_MAX = 1.0


def measure(bench: Bench) -> Iterator[Figure]:
    """All projects, and one."""
    home = bench.home()
    sizes = {"versions": bench.size(VERSION_COUNT), "runs": bench.size(RUN_COUNT)}
    run(home, build, store=home.store, **sizes)
    exact_s = timed(lambda: _asked(home, "--exact"))
    for name, arguments in (("usage", ()), ("usage-project", ("--project", PROJECT.partition("/")[2]))):
        taken = sorted(timed(lambda arguments=arguments: _asked(home, *arguments)) for _ in range(ASKED + 1))[:ASKED]
        middle = taken[ASKED // 2]
        yield Figure(
            bench=name,
            value=middle,
            unit="s",
            limit=None,
            ratio=None,
            reach=f"under {USAGE_S_MAX:g} s, the median of {ASKED}",
            ok=middle < USAGE_S_MAX,
            runs=taken,
            detail={**sizes, "exact_s": exact_s},
        )


def build(store: str, versions: int, runs: int) -> Result:
    """A version by events, so that there is a log, and the rest as rows."""

    def write_all() -> None:
        with opened(store) as (stores, producer):
            write(stores, producer, version_events(f"{PROJECT}/first", "first", [files(range(100))]))
            fill(stores.database, versions, runs)

    return {"seconds": timed(write_all)}


def _asked(home: Home, *arguments: str) -> None:
    command = [COMMAND, "usage", *arguments, "--entity", PROJECT.partition("/")[0], "--json"]
    done = subprocess.run(command, env=home.environment(), capture_output=True, text=True, check=False)
    if done.returncode or not json.loads(done.stdout):
        raise BenchFailed(f"{command} said {done.stderr!r:.300}")
