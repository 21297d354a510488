"""`python -m bench [NAME…]`: run benchmarks and print one JSON line a figure."""

import argparse
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.harness import ROOT, ROUNDS, Bench, BenchFailed, Figure
from bench.servers import BenchServers
from services import ServicesFailed

# In this order: the rows that leave most files behind come last.
FOLDER_ROWS = {
    "start": "bench.start",
    "job": "bench.start:measure_job",
    "idle": "bench.idle",
    "log-large": "bench.log_large",
    "writers": "bench.writers",
    "artifacts": "bench.artifacts",
    "chain": "bench.chain",
    "ancestry": "bench.ancestry",
    "log-small": "bench.log_small",
    "relog": "bench.relog",
    "download": "bench.download",
    "copy": "bench.copying",
    "million": "bench.million",
    "change-cost": "bench.change_cost",
    "change-growth": "bench.change_growth",
    "draft-change": "bench.draft_change",
    "shared-draft": "bench.shared_draft",
    "memory-file": "bench.memory_file",
    "memory-entries": "bench.memory_entries",
    "rows": "bench.rows",
    "event-bytes": "bench.event_bytes",
    "server-writers": "bench.server_writers",
    "server-job": "bench.start:measure_server_job",
    "server-latency": "bench.server_latency",
    "webhook-latency": "bench.webhook_latency",
    "server-transfer": "bench.server_transfer",
    "server-read": "bench.server_reads",
    "page": "bench.page_views",
    "usage": "bench.usage",
    "events-stream": "bench.event_streams",
    "events-latency": "bench.event_streams:measure_latency",
    "lineage-picture": "bench.lineage_picture",
    "archive": "bench.archive",
    "collection": "bench.collection",
    "collection-writers": "bench.collection_writers",
}
ON_BOTH = (
    "server-job",
    "server-latency",
    "webhook-latency",
    "server-transfer",
    "job",
    "idle",
    "log-large",
    "writers",
    "artifacts",
    "chain",
    "log-small",
    "relog",
    "download",
    "change-growth",
)
ON_SERVERS_ONLY = {
    "latency": "bench.latency",
    "writers-32": "bench.writers:measure_more",
    "server-writers": "bench.server_writers:measure_on_servers",
    "server-waits": "bench.server_waits",
    "commit-cpu": "bench.commit_cpu",
    "project-entries": "bench.project_entries",
    "project-commits": "bench.project_events",
    "catch-up": "bench.project_events:measure_entries",
    "two-projectors": "bench.two_projectors",
    "shared-draft": "bench.shared_draft:measure_on_servers",
    "references-s3": "bench.references",
    "rows": "bench.rows:measure_postgresql",
    "event-bytes": "bench.event_bytes:measure_postgresql",
    "scale": "bench.scale",
    "relay-latency": "bench.relay_latency",
    "archive": "bench.archive:measure_on_servers",
}
SUFFIX = "-services"
SERVER_ROWS = {
    f"{name}{SUFFIX}": row for name, row in (ON_SERVERS_ONLY | {name: FOLDER_ROWS[name] for name in ON_BOTH}).items()
}
ROWS = FOLDER_ROWS | SERVER_ROWS


def measure(name: str, bench: Bench) -> Iterator[Figure]:
    """The figures of one row, as they come."""
    module, _, function = ROWS[name].partition(":")
    try:
        for figure in getattr(importlib.import_module(module), function or "measure")(bench):
            yield replace(figure, bench=f"{figure.bench}{SUFFIX}") if name in SERVER_ROWS else figure
    finally:
        bench.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for, or `arguments`; returns the exit code."""
    wanted = _parse(arguments)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it, each process would compile all of headwater again
    work = Path(wanted.work) if wanted.work else ROOT / ".build" / "bench"
    work.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix="run-", dir=work))
    own.chmod(0o755)  # servers that run as nobody pass through it
    servers = BenchServers(own / "servers")
    failed = False
    try:
        for name in wanted.names or (SERVER_ROWS if wanted.services else FOLDER_ROWS):
            try:
                for figure in measure(name, _bench(name, own, servers, wanted)):
                    print(figure.line(), flush=True)
            except (BenchFailed, ServicesFailed) as error:
                failed = True
                print(f"bench: {name} failed: {error}", file=sys.stderr, flush=True)
    finally:
        servers.close()
        if wanted.keep:
            print(f"bench: everything is left in {own}", file=sys.stderr)
        else:
            shutil.rmtree(own)
            os.sync()
    return 1 if failed else 0


def _bench(name: str, own: Path, servers: BenchServers, wanted: argparse.Namespace) -> Bench:
    rounds = wanted.rounds or (1 if wanted.quick else ROUNDS)
    if name in SERVER_ROWS:
        from bench.on_servers import ServerBench  # with all the clients

        return ServerBench(own / name, rounds, wanted.quick, servers=servers)
    return Bench(own / name, rounds, wanted.quick)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, one JSON line a figure.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all on a folder unless given: {', '.join(ROWS)}")
    parser.add_argument("--services", action="store_true", help="without NAME: all on servers")
    parser.add_argument("--quick", action="store_true", help="a fiftieth of every size, one round: shows that it runs")
    parser.add_argument("--rounds", type=int, help=f"how often each is taken; {ROUNDS} unless given")
    parser.add_argument("--work", help="where folders are made; .build/bench unless given")
    parser.add_argument("--keep", action="store_true", help="leave what was made, to look at")
    found = parser.parse_args(arguments)
    if unknown := sorted(set(found.names) - ROWS.keys()):
        parser.error(f"there is no benchmark {unknown[0]!r}. Known: {', '.join(ROWS)}.")
    return found


if __name__ == "__main__":
    sys.exit(main())
