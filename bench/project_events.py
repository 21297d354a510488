"""How fast one `headwater projector` takes what is recorded: versions of one entry, and entries one by one."""

from collections.abc import Callable, Iterator
from typing import Any

from bench.harness import Figure, Result, run
from bench.on_servers import ServerBench
from bench.projectors import Pace, catch_up
from bench.recording import EVENTS_PER_VERSION, record_entries, record_versions

VERSIONS = 50_000
VERSIONS_PER_SECOND_MIN = 2000
EVENTS, EVENTS_PER_DRAFT = 1_000_000, 1000
EVENTS_PER_SECOND_MIN = 10_000


def measure(bench: ServerBench) -> Iterator[Figure]:
    """Versions of one entry."""
    paces = _paces(bench, record_versions, versions=bench.size(VERSIONS))
    rates = [pace.per_second / EVENTS_PER_VERSION for pace in paces]
    yield _figure("project-commits", "versions/s", VERSIONS_PER_SECOND_MIN, rates, paces)


def measure_entries(bench: ServerBench) -> Iterator[Figure]:
    """Entries one by one."""
    paces = _paces(bench, record_entries, events=bench.size(EVENTS), per_version=EVENTS_PER_DRAFT)
    rates = [pace.per_second for pace in paces]
    yield _figure("catch-up", "events/s", EVENTS_PER_SECOND_MIN, rates, paces)


def _paces(bench: ServerBench, recorded: Callable[..., Result], **arguments: Any) -> list[Pace]:
    home = bench.quiet_home()
    run(home, recorded, **arguments)
    paces = []
    for _ in range(bench.rounds):
        fresh = home.with_fresh_projection()
        home.checkpoint()
        paces.append(catch_up(fresh, bench.servers))
        fresh.forget_projection()
    return paces


def _figure(name: str, unit: str, floor: float, rates: list[float], paces: list[Pace]) -> Figure:
    middle = sorted(rates)[len(rates) // 2]
    pace = paces[rates.index(middle)]
    return Figure(
        bench=name,
        value=middle,
        unit=unit,
        limit=None,
        ratio=None,
        reach=f"at least {floor:g} {unit}",
        ok=middle >= floor,
        runs=rates,
        detail={"records": pace.records, "seconds": pace.seconds, "with_start_and_end_s": pace.total_s, **pace.cpu},
    )
