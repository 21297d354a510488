"""`python -m bench [NAME…]`: run benchmarks and print one JSON line a figure."""

import argparse
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.harness import ROOT, ROUNDS, Bench, BenchFailed, Figure

# In this order: the rows that leave most files behind come last.
ROWS = {
    "start": "bench.start",
    "log-large": "bench.log_large",
    "writers": "bench.writers",
    "artifacts": "bench.artifacts",
    "chain": "bench.chain",
    "ancestry": "bench.ancestry",
    "log-small": "bench.log_small",
    "relog": "bench.relog",
    "download": "bench.download",
    "million": "bench.million",
    "change-cost": "bench.change_cost",
    "change-growth": "bench.change_growth",
    "memory-file": "bench.memory_file",
    "memory-entries": "bench.memory_entries",
}


def measure(name: str, bench: Bench) -> Iterator[Figure]:
    """The figures of one row, as they come."""
    yield from importlib.import_module(ROWS[name]).measure(bench)


def main() -> int:
    wanted = _arguments()
    work = Path(wanted.work) if wanted.work else ROOT / ".build" / "bench"
    work.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix="run-", dir=work))
    failed = False
    try:
        for name in wanted.names or ROWS:
            bench = Bench(own, wanted.rounds or (1 if wanted.quick else ROUNDS), wanted.quick)
            bench.work = own / name
            try:
                for figure in measure(name, bench):
                    print(figure.line(), flush=True)
            except BenchFailed as error:
                failed = True
                print(f"bench: {name} failed: {error}", file=sys.stderr, flush=True)
    finally:
        if wanted.keep:
            print(f"bench: everything is left in {own}", file=sys.stderr)
        else:
            shutil.rmtree(own)
            os.sync()
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, one JSON line a figure.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all unless given: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="a fiftieth of every size, one round: shows that it runs")
    parser.add_argument("--rounds", type=int, help=f"how often each is taken; {ROUNDS} unless given")
    parser.add_argument("--work", help="where folders are made; .build/bench unless given")
    parser.add_argument("--keep", action="store_true", help="leave what was made, to look at")
    found = parser.parse_args()
    if unknown := sorted(set(found.names) - ROWS.keys()):
        parser.error(f"there is no benchmark {unknown[0]!r}. Known: {', '.join(ROWS)}.")
    return found


if __name__ == "__main__":
    sys.exit(main())
