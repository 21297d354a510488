"""What a projector tells over HTTP."""

from typing import Any

from headwater_consumer.service.http_endpoint import Pages, pages_of
from headwater_consumer.service.metrics import Metrics
from headwater_consumer.service.status import BAD, ProjectorStatus
from headwater_consumer.service.watchdog import Heartbeat


def projector_pages(status: ProjectorStatus, heartbeat: Heartbeat) -> Pages:
    """Its pages."""
    metrics = Metrics(status, heartbeat)
    return pages_of(lambda: _health(status), metrics.text)


def _health(status: ProjectorStatus) -> tuple[bool, dict[str, Any]]:
    now = status.now
    return now.status not in BAD, {
        "status": now.status.value,
        "trouble": now.trouble,
        "lag": now.lag,
        "partitions": {
            str(number): {"position": one.position, "end": one.end, "lag": one.lag, "stopped": one.stopped}
            for number, one in sorted(now.partitions.items())
        },
        "dead_letters": now.dead_letters,
        "parked_keys": now.parked_keys,
    }
