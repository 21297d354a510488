"""The projector within a server: on a folder it is always there, on a profile where it was asked for."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headwater_consumer.service.announcing import Announcer
from headwater_consumer.service.kafka_group import group_id_of, kafka_group
from headwater_consumer.service.projecting import ProjectorService
from headwater_eventlog.kafka import KafkaEventLog
from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.errors import HeadwaterError
from headwater_stores.stores import Stores

LOOK_S = 0.05  # between two looks at a folder's log, where others may write too
CATCH_UP_S = 30.0
FAILED_PAUSE_S = 1.0
STOP_S = 5.0

_log = logging.getLogger("headwater.server")


@contextmanager
def projecting(stores: Stores) -> Iterator[None]:
    """Project everything that is written to `stores`, in a thread, until the end of the block."""
    with _servers_projected(stores) if stores.is_remote else _folder_projected(stores):
        yield


@contextmanager
def _folder_projected(stores: Stores) -> Iterator[None]:
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(LOOK_S):
            try:
                stores.projection.catch_up(timeout_s=CATCH_UP_S)
            except HeadwaterError as error:
                _log.error("The folder cannot be projected: %s", error)
                stopped.wait(FAILED_PAUSE_S)

    with _in_a_thread(run, stopped.set):
        yield


@contextmanager
def _servers_projected(stores: Stores) -> Iterator[None]:
    assert isinstance(stores.log, KafkaEventLog)
    log, database = stores.log, stores.database
    service = ProjectorService(log, database, kafka_group(log, group_id_of(log, database)))
    with Announcer(database), _in_a_thread(service.run, service.stop):
        yield


@contextmanager
def _in_a_thread(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    thread = start_daemon(run, "projecting")
    try:
        yield
    finally:
        stop()
        if thread is not None:
            thread.join(STOP_S)
