"""A projector as a process: the loop with its watchdog and endpoint, ended by a signal."""

import gc
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import EventLog
from headwater_schemas.errors import StoreError, UnknownSchema

from headwater_consumer.database import Database
from headwater_consumer.service.announcing import Announcer
from headwater_consumer.service.http_endpoint import HOST, PORT, HttpEndpoint
from headwater_consumer.service.kafka_group import group_id_of, kafka_group
from headwater_consumer.service.lag_sampler import LagSampler
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.service.watchdog import Watchdog
from headwater_consumer.writing.runner import Projector, StaleProjector

DONE, FAILED = 0, 1
ONCE_RECORDS = 4_000  # of a batch; nobody waits for the first of them
TAKEN_PAUSE_S = 0.05  # until a partition is looked at again that another process is projecting
# A batch creates some ten objects a record, none of them in cycles; garbage collection was a quarter of the time.
# Objects created between two collections:
COLLECT_EVERY = 200_000

_log = logging.getLogger("headwater.projector")


def run_projector(
    log: KafkaEventLog, database: Database, *, host: str = HOST, port: int = PORT, once: bool = False
) -> int:
    """Project until SIGTERM or SIGINT, or with `once` what is on the log now; returns the exit code.

    Call it in the main thread. A second signal ends the process at once. Raises: InvalidSettings when the
    endpoint cannot be opened.
    """
    with _rare_collections():
        if once:
            with Announcer(database):
                return _once(log, database)
        service = ProjectorService(log, database, kafka_group(log, group_id_of(log, database)))
        return serve(service, log, database, host=host, port=port)


def serve(service: ProjectorService, log: EventLog, database: Database, *, host: str, port: int) -> int:
    """As `run_projector`, with this `service`."""
    with (
        HttpEndpoint(service.status, service.heartbeat, host=host, port=port) as endpoint,
        Watchdog(service.heartbeat),
        Announcer(database),
        LagSampler(log, database, service.status),
        _stopped_by_signals(service.stop),
    ):
        _log.info("Health and metrics are at http://%s:%d/health and /metrics.", endpoint.host, endpoint.port)
        service.run()
    return DONE


def _once(log: EventLog, database: Database) -> int:
    try:
        records = project_present(log, database)
    except (StoreError, UnknownSchema) as error:
        _log.error("Not everything could be projected: %s", error)
        return FAILED
    _log.info("Projected %d records, everything that was on the log.", records)
    return DONE


def project_present(log: EventLog, database: Database) -> int:
    """Project everything that is on the log now, and return how many records this process applied.

    Other projectors may work at the same time. Raises: UnknownSchema and StoreUnavailable of the first partition that
    stops, after all others were projected.
    """
    projector = Projector(log, database, records_per_batch=ONCE_RECORDS)
    total, stopped = 0, None
    for partition, end in log.ends().items():
        try:
            total += _project_up_to(projector, partition, end)
        except (StoreError, UnknownSchema) as error:
            stopped = stopped or error
    if stopped is not None:
        raise stopped
    return total


def _project_up_to(projector: Projector, partition: int, end: int) -> int:
    total = 0
    while projector.cursor(partition).offset < end:
        try:
            applied = projector.project_batch(partition)
        except StaleProjector:  # another process is projecting it, which is as good
            time.sleep(TAKEN_PAUSE_S)
            continue
        if not applied:
            break  # offsets may have gaps, also at the end
        total += applied
    return total


@contextmanager
def _rare_collections() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()  # the objects of now live to the end
    gc.set_threshold(COLLECT_EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as the library calls it
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        stop()

    for each in before:
        signal.signal(each, once)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
