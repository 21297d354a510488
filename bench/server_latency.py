"""How long one writer waits for one small file through a server, while nothing else goes on. Limit: the direct way."""

import statistics
from collections.abc import Iterator

from bench.harness import Bench, Figure, Pairs, run, settle
from bench.latency import SAMPLES, log_small_ones
from bench.serving import served

RATIO_MAX = 1.2


def measure(bench: Bench) -> Iterator[Figure]:
    values: list[float] = []
    limits: list[float] = []
    for _ in range(bench.rounds):
        home = bench.home()
        settle()
        limits.append(statistics.median(run(home, log_small_ones, count=bench.size(SAMPLES))["seconds"]))
        with served(home) as server:
            settle()
            values.append(statistics.median(run(server.home, log_small_ones, count=bench.size(SAMPLES))["seconds"]))
    pairs = Pairs(values, limits)
    yield pairs.figure(
        "server-latency",
        unit="s",
        reach=f"at most {RATIO_MAX} x the direct way",
        ok=bench.quick or pairs.ratio <= RATIO_MAX,
        detail={},
    )
