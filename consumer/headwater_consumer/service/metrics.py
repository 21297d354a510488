"""The status of a projector in the text format of Prometheus. `docs/operations.md` explains each metric."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from headwater_consumer.service.status import BAD, BATCH_SECONDS, ProjectorStatus, StatusSnapshot
from headwater_consumer.service.watchdog import Heartbeat

_PREFIX = "headwater_projector_"


class Metrics(Collector):
    """Reads the status when it is scraped; queries no server itself."""

    def __init__(self, status: ProjectorStatus, heartbeat: Heartbeat) -> None:
        self._status, self._heartbeat = status, heartbeat
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        now = self._status.now
        yield from _of_partitions(now)
        yield from _of_batches(now)
        yield _gauge("partitions_assigned", "Partitions that are assigned to this process.", len(now.partitions))
        yield _gauge("stopped_partitions", "Partitions of this process that are stopped.", len(now.stopped))
        yield _gauge("healthy", "1 while /health answers 200.", int(now.status not in BAD))
        if now.dead_letters is not None and now.parked_keys is not None:
            yield _gauge("dead_letters", "Dead letters that wait for a decision, of all partitions.", now.dead_letters)
            yield _gauge("parked_keys", "Collections and runs that wait behind a dead letter.", now.parked_keys)
        last_s = self._heartbeat.last.time_s
        yield _gauge("last_progress_timestamp_seconds", "When the main loop last made progress.", last_s)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, words, value=value)


def _of_partitions(now: StatusSnapshot) -> Iterator[Metric]:
    lag = GaugeMetricFamily(_PREFIX + "lag_records", "Records that are not yet projected.", labels=["partition"])
    position = GaugeMetricFamily(_PREFIX + "position", "Offset of the last projected record.", labels=["partition"])
    for number, one in sorted(now.partitions.items()):
        position.add_metric([str(number)], one.position)
        if one.lag is not None:
            lag.add_metric([str(number)], one.lag)
    yield from (lag, position)


def _of_batches(now: StatusSnapshot) -> Iterator[Metric]:
    yield CounterMetricFamily(_PREFIX + "records", "Records applied by this process.", value=now.records)
    yield CounterMetricFamily(_PREFIX + "batches", "Transactions of this process.", value=now.batches)
    yield CounterMetricFamily(_PREFIX + "rejections", "Events that a rule rejected.", value=now.rejections)
    names = [*map(str, BATCH_SECONDS), "+Inf"]
    buckets = list(zip(names, map(float, accumulate(now.batch_seconds)), strict=True))
    seconds = HistogramMetricFamily(_PREFIX + "batch_seconds", "How long a transaction took.")
    seconds.add_metric([], buckets, now.batch_seconds_sum)
    yield seconds
