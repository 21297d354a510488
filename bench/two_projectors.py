"""Two projectors on two partitions. Limit: one on the same two, with as much to do.

Compared is the time in which all of them were at work: what joining a group takes is not part of it.
"""

from collections.abc import Iterator
from functools import partial

from bench.harness import Figure, Pairs, run
from bench.on_servers import ServerBench, ServerHome
from bench.projectors import Throughput, catch_up
from bench.recording import record_versions

VERSIONS = 100_000
RATIO_MIN = 1.6


def measure(bench: ServerBench) -> Iterator[Figure]:
    home = bench.quiet_home(partitions=2)
    run(home, record_versions, versions=bench.size(VERSIONS))
    throughputs: dict[int, list[Throughput]] = {1: [], 2: []}

    def take(count: int) -> float:
        throughputs[count].append(_catch_up(bench, home.with_fresh_projection(), count))
        return throughputs[count][-1].per_second

    pairs = bench.paired(partial(take, 2), partial(take, 1), warm=home.checkpoint)
    yield pairs.figure(
        "two-projectors",
        unit="records/s",
        reach=f"at least {RATIO_MIN} x one",
        ok=_ratio_is_reached(pairs),
        detail={f"with_{count}": [_as_detail(one) for one in found] for count, found in throughputs.items()},
    )


def _ratio_is_reached(pairs: Pairs) -> bool:
    return pairs.ratio >= RATIO_MIN


def _catch_up(bench: ServerBench, home: ServerHome, count: int) -> Throughput:
    try:
        return catch_up(home, bench.servers, count)
    finally:
        home.forget_projection()


def _as_detail(one: Throughput) -> dict[str, object]:
    return {
        "records": one.records,
        "seconds": one.seconds,
        "with_start_and_end_s": one.total_s,
        **one.cpu,
    }
