"""Ends uploads that nobody went on with, beside a server's requests."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.errors import StoreError
from headwater_stores.partial_uploads import discard_expired

from headwater_server.limits import EXPIRED_LOOK_S
from headwater_server.service import Service

STOP_S = 5.0

_log = logging.getLogger("headwater.server")


@contextmanager
def ending_expired(service: Service) -> Iterator[None]:
    """Now and then keep nothing of uploads that have expired, in a thread, until the end of the block."""
    stopping = threading.Event()

    def look() -> None:
        while True:
            _end(service)
            if stopping.wait(EXPIRED_LOOK_S):
                return

    thread = start_daemon(look, "expired-uploads")
    try:
        yield
    finally:
        stopping.set()
        if thread is not None:
            thread.join(STOP_S)


def _end(service: Service) -> None:
    try:
        if ended := discard_expired(service.stores.blobs, service.operational):
            _log.info("%d uploads that expired were discarded.", ended)
    except StoreError as error:  # the next look may do
        _log.warning("Uploads that expired were not discarded: %s", error)
