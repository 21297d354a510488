"""How fast one `headwater projector` takes what is recorded: versions of one entry, and entries one by one."""

from collections.abc import Callable, Iterator
from typing import Any

from bench.harness import Figure, Result, run
from bench.on_servers import ServerBench
from bench.projectors import Throughput, catch_up
from bench.recording import EVENTS_PER_VERSION, record_entries, record_versions

VERSIONS = 50_000
VERSIONS_PER_SECOND_MIN = 2000
EVENTS, EVENTS_PER_DRAFT = 1_000_000, 1000
EVENTS_PER_SECOND_MIN = 10_000


def measure(bench: ServerBench) -> Iterator[Figure]:
    """Versions of one entry."""
    throughputs = _throughputs(bench, record_versions, versions=bench.size(VERSIONS))
    rates = [throughput.per_second / EVENTS_PER_VERSION for throughput in throughputs]
    yield _figure("project-commits", "versions/s", VERSIONS_PER_SECOND_MIN, rates, throughputs)


def measure_entries(bench: ServerBench) -> Iterator[Figure]:
    """Entries one by one."""
    throughputs = _throughputs(bench, record_entries, events=bench.size(EVENTS), per_version=EVENTS_PER_DRAFT)
    rates = [throughput.per_second for throughput in throughputs]
    yield _figure("catch-up", "events/s", EVENTS_PER_SECOND_MIN, rates, throughputs)


def _throughputs(bench: ServerBench, recorded: Callable[..., Result], **arguments: Any) -> list[Throughput]:
    home = bench.quiet_home()
    run(home, recorded, **arguments)
    throughputs = []
    for _ in range(bench.rounds):
        fresh = home.with_fresh_projection()
        home.checkpoint()
        throughputs.append(catch_up(fresh, bench.servers))
        fresh.forget_projection()
    return throughputs


def _figure(name: str, unit: str, floor: float, rates: list[float], throughputs: list[Throughput]) -> Figure:
    middle = sorted(rates)[len(rates) // 2]
    throughput = throughputs[rates.index(middle)]
    return Figure(
        bench=name,
        value=middle,
        unit=unit,
        limit=None,
        ratio=None,
        reach=f"at least {floor:g} {unit}",
        ok=middle >= floor,
        runs=rates,
        detail={
            "records": throughput.records,
            "seconds": throughput.seconds,
            "with_start_and_end_s": throughput.total_s,
            **throughput.cpu,
        },
    )
