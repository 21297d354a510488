"""Connections that send a request whole: head and body apart are two system calls, and wake the server up twice."""

from http.client import HTTPConnection, HTTPSConnection
from typing import Any

GATHERED_BYTES_MAX = 64 * 1024  # that are sent at once


class GatheringConnection(HTTPConnection):
    """Keeps small pieces until `flush`, or until something large follows."""

    _held = b""

    def send(self, data: Any) -> None:
        """See http.client."""
        if isinstance(data, bytes) and len(self._held) + len(data) <= GATHERED_BYTES_MAX:
            self._held += data
            return
        self.flush()
        super().send(data)

    def flush(self) -> None:
        """Send what is kept. Call it after each request."""
        held, self._held = self._held, b""
        if held:
            super().send(held)


class GatheringTlsConnection(GatheringConnection, HTTPSConnection):
    """The same by TLS."""
