"""Connections: what uvicorn's protocol leaves unbounded, the head of a request in size and in time."""

import asyncio
from http import HTTPStatus

from headwater_schemas.problems import MEDIA_TYPE
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headwater_server.http.problems import Problem
from headwater_server.limits import HEAD_S, HEADER_BYTES_MAX, URL_BYTES_MAX


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request does not begin in HEAD_S, and refuses heads that are too large."""

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0  # of this request, as parsed so far
    _fed_bytes = 0  # since its head began, parsed or not
    _is_in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._end_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._is_in_head and self._timer is None:  # the next request of a connection that was kept
            self._begin_head()
        self._fed_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._fed_bytes > HEADER_BYTES_MAX + URL_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def send_400_response(self, msg: str) -> None:
        """In the one shape of errors, and nothing after it."""
        body = Problem(HTTPStatus.BAD_REQUEST, "malformed", msg, "Send a request that RFC 9112 allows.").response().body
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n".encode() + bytes(body))
        self.transport.close()

    def on_message_begin(self) -> None:
        """See httptools."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        super().on_url(url)
        if len(self.url) > URL_BYTES_MAX:
            self._head_bytes += HEADER_BYTES_MAX + 1  # refused once it is whole

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools. What is refused is not kept."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes <= HEADER_BYTES_MAX:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._is_in_head = False
        self._end_timer()
        answering = self.app
        if self._head_bytes > HEADER_BYTES_MAX:
            self.app = _too_large
        try:
            super().on_headers_complete()
        finally:
            self.app = answering

    def on_body(self, body: bytes) -> None:
        """See httptools. A piece that comes alone is given on as it is; to gather pieces copies each twice."""
        held: object = self.cycle.body
        if not held:
            self.cycle.body = b""  # type: ignore[assignment]  # to which `body` is added without a copy
        elif isinstance(held, bytes):
            self.cycle.body = bytearray(held)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        self._is_in_head, self._fed_bytes = True, 0
        super().on_message_complete()

    def _begin_head(self) -> None:
        self._fed_bytes = 0
        self._timer = self.loop.call_later(HEAD_S, self._close_late)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_late(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "too-large",
        f"the headers have more than {HEADER_BYTES_MAX:,} bytes, or the URL more than {URL_BYTES_MAX:,}.",
        "Send less of them.",
    )
    await problem.response()(scope, receive, send)
