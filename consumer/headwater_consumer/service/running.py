"""A projector as a process: the loop with its watchdog and endpoint, ended by a signal."""

import gc
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import EventLog
from headwater_schemas.errors import StoreError, UnknownSchema

from headwater_consumer.database import Database
from headwater_consumer.runner import Projector, StaleProjector
from headwater_consumer.service.measuring import Measuring
from headwater_consumer.service.observing import HOST, PORT, Endpoint
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.service.watchdog import Watchdog

DONE, FAILED = 0, 1
ONCE_RECORDS = 4_000  # of a batch, where nobody waits for the first of them
# A batch makes some ten objects a record, none of them in cycles; looking for cycles again and again was a quarter of
# the time. Objects made between two looks:
COLLECT_EVERY = 200_000

_log = logging.getLogger("headwater.projector")


def run_projector(
    log: KafkaEventLog, database: Database, *, host: str = HOST, port: int = PORT, once: bool = False
) -> int:
    """Project until SIGTERM or SIGINT, or with `once` what is there now; returns the exit code.

    To be called in the main thread. A second signal ends the process at once. Raises: InvalidSettings when the
    endpoint cannot be opened.
    """
    with _rare_collections():
        if once:
            return _once(log, database)
        return serve(ProjectorService(log, database), log, database, host=host, port=port)


def serve(service: ProjectorService, log: KafkaEventLog, database: Database, *, host: str, port: int) -> int:
    """As `run_projector`, with the `service` given."""
    with (
        Endpoint(service.standing, service.heartbeat, host=host, port=port) as endpoint,
        Watchdog(service.heartbeat),
        Measuring(log, database, service.standing),
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
    _log.info("Projected %d records; everything that was there is done.", records)
    return DONE


def project_present(log: EventLog, database: Database) -> int:
    """Project everything that is on the log now, beside whoever does so too; says how many records that took here.

    Raises: UnknownSchema and StoreUnavailable of the first partition that stops, after all others went on.
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
        with suppress(StaleProjector):  # somebody else is projecting it, which is as good
            applied = projector.project_batch(partition)
            if not applied:
                break  # offsets may have gaps, also at the end
            total += applied
    return total


@contextmanager
def _rare_collections() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()  # what is there now stays to the end
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
