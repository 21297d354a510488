"""The state of a relay: written by its loop, read by its pages. `docs/operations.md` explains each metric."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from headwater_consumer.service.http_endpoint import Pages, pages_of
from headwater_consumer.service.watchdog import Heartbeat
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_PREFIX = "headwater_relay_"
_US = 1_000_000


class RelayState(StrEnum):
    """The state in one word. The last one may need an operator."""

    STANDBY = "standby"  # another process holds the lease, or it has just started
    RELAYING = "relaying"
    TROUBLE = "trouble"  # it goes on by itself when the trouble is over


@dataclass(frozen=True, slots=True)
class RelaySnapshot:
    """Everything at one moment."""

    state: RelayState = RelayState.STANDBY
    trouble: str | None = None
    topic: str | None = None
    events: int = 0  # that Kafka confirmed to this process
    oldest_us: int | None = None  # the time of the first event that was read and is not confirmed

    @property
    def lag_s(self) -> float:
        """How long the oldest unconfirmed event has been there, by the clocks of the log and of this machine."""
        return 0.0 if self.oldest_us is None else max(0.0, time.time() - self.oldest_us / _US)


class RelayStatus:
    """The current state. Written by one thread."""

    def __init__(self) -> None:
        self.now = RelaySnapshot()

    def stands_by(self) -> None:
        """Another process relays."""
        self._become(state=RelayState.STANDBY, trouble=None, oldest_us=None)

    def relays(self, topic: str) -> None:
        """This process relays."""
        self._become(state=RelayState.RELAYING, trouble=None, topic=topic)

    def has_trouble(self, reason: str) -> None:
        """It failed and tries again."""
        self._become(state=RelayState.TROUBLE, trouble=reason)

    def read(self, oldest_us: int) -> None:
        """Events are in hand, the first of them of this time."""
        self._become(oldest_us=oldest_us)

    def confirmed(self, events: int) -> None:
        """Kafka has those that were in hand."""
        self._become(events=self.now.events + events, oldest_us=None)

    def _become(self, **changes: Any) -> None:
        self.now = replace(self.now, **changes)


class RelayMetrics(Collector):
    """The figures for Prometheus; `register` them with those of a server."""

    def __init__(self, status: RelayStatus, heartbeat: Heartbeat) -> None:
        self._status, self._heartbeat = status, heartbeat

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        now = self._status.now
        yield CounterMetricFamily(_PREFIX + "events", "Version events that Kafka confirmed.", value=now.events)
        yield _gauge("lag_seconds", "How long the oldest event that was read is not confirmed.", now.lag_s)
        yield _gauge("leading", "1 while this process holds the lease.", now.state == RelayState.RELAYING)
        yield _gauge("healthy", "0 while there is trouble.", now.state != RelayState.TROUBLE)
        yield _gauge("last_progress_timestamp_seconds", "When the loop last made a step.", self._heartbeat.last.time_s)


def relay_pages(status: RelayStatus, heartbeat: Heartbeat) -> Pages:
    """Its pages."""
    registry = CollectorRegistry()
    registry.register(RelayMetrics(status, heartbeat))
    return pages_of(lambda: _health(status.now), lambda: generate_latest(registry))


def _health(now: RelaySnapshot) -> tuple[bool, Mapping[str, Any]]:
    content = {
        "status": now.state.value,
        "trouble": now.trouble,
        "topic": now.topic,
        "events": now.events,
        "lag_seconds": round(now.lag_s, 3),
    }
    return now.state != RelayState.TROUBLE, content


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, words, value=float(value))
