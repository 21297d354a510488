"""A projector as a process: the loop with its watchdog and endpoint, ended by a signal."""

import logging
import time

from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import EventLog
from headwater_runtime.garbage import rare_collections
from headwater_schemas.errors import StoreError, UnknownSchema

from headwater_consumer.database import Database
from headwater_consumer.service.announcing import Announcer
from headwater_consumer.service.http_endpoint import HOST, PORT, HttpEndpoint
from headwater_consumer.service.kafka_group import group_id_of, kafka_group
from headwater_consumer.service.lag_sampler import LagSampler
from headwater_consumer.service.pages import projector_pages
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.service.signals import stopped_by_signals
from headwater_consumer.service.watchdog import Watchdog
from headwater_consumer.writing.runner import Projector, StaleProjector

DONE, FAILED = 0, 1
ONCE_RECORDS = 4_000  # of a batch; nobody waits for the first of them
TAKEN_PAUSE_S = 0.05  # until a partition is looked at again that another process is projecting
COLLECT_EVERY = 200_000  # objects: a batch creates some ten a record, none of them in cycles

_log = logging.getLogger("headwater.projector")


def run_projector(
    log: KafkaEventLog, database: Database, *, host: str = HOST, port: int = PORT, once: bool = False
) -> int:
    """Project until SIGTERM or SIGINT, or with `once` what is on the log now; returns the exit code.

    Call it in the main thread. A second signal ends the process at once. Raises: InvalidSettings when the
    endpoint cannot be opened.
    """
    with rare_collections(COLLECT_EVERY):
        if once:
            with Announcer(database):
                return _once(log, database)
        service = ProjectorService(log, database, kafka_group(log, group_id_of(log, database)))
        return serve(service, log, database, host=host, port=port)


def serve(service: ProjectorService, log: EventLog, database: Database, *, host: str, port: int) -> int:
    """As `run_projector`, with this `service`."""
    with (
        HttpEndpoint(projector_pages(service.status, service.heartbeat), host=host, port=port) as endpoint,
        Watchdog(service.heartbeat, "projector"),
        Announcer(database),
        LagSampler(log, database, service.status),
        stopped_by_signals(service.stop),
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
