"""`GET /v1/events/stream`: version events as they come, as server-sent events (WHATWG HTML, 9.2).

A stream first reads from the database what is before the feed, and then takes what the feed gives it. One that is too
slow for the feed reads from the database again. A client that takes nothing for SEND_S_MAX is closed; until then at
most PIECE_BYTES_MAX, and what the connection's buffers hold, is kept for it.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

from fastapi import APIRouter, Response
from headwater_consumer.queries.event_pages import version_events
from headwater_schemas.event_cursors import BEFORE_ALL, EventCursor
from starlette.types import Receive, Scope, Send

from headwater_server.access.not_before import NotBefore
from headwater_server.events.asked import After, Asked, AskedEvents, LastEventId, start_of
from headwater_server.events.feed import Listener, frame_of
from headwater_server.events.streams import Streams, StreamsOf
from headwater_server.http.problems import Problem
from headwater_server.limits import HEARTBEAT_S, PIECE_BYTES_MAX, RIGHTS_S, SEND_S_MAX
from headwater_server.service import Service, ServiceOf

PAGE = 256  # events that are read at once of what is before the feed
BEAT = "beat"
RETRY_MS = 1000  # after so long a client connects again

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold events back
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(tags=["events"])


@router.get(
    "/events/stream",
    dependencies=[NotBefore],
    response_class=Response,
    responses={200: {"description": "Events, without end.", "content": {"text/event-stream": {}}}},
)
async def stream_events(
    service: ServiceOf,
    streams: StreamsOf,
    asked: AskedEvents,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """The version events after a place, from now on unless given, without end.

    Each has its cursor as id. An id without data comes at once, and again whenever nothing came for a while.
    """
    begin = await start_of(service, last_event_id or after or "now")
    return EventStream(service, streams, asked, begin)


class EventStream(Response):
    """An answer that does not end by itself."""

    def __init__(
        self, service: Service, streams: Streams, asked: Asked, begin: EventCursor, *, shows_beats: bool = False
    ) -> None:
        """`shows_beats`: signs of life are events of the name BEAT, which scripts of a page can see."""
        super().__init__(headers=dict(HEADERS))
        del self.headers["content-length"]
        self._service = service
        self._streams = streams
        self._asked = asked
        self._listener = Listener(asked.wanted)
        self._cursor = begin  # after what was sent
        self._beat = f"event: {BEAT}\ndata:\n" if shows_beats else ": \n"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client goes or takes nothing, the server stops, or the right to read ends."""
        try:
            with self._streams.counted(self._asked.caller.principal):
                await self._run(receive, _Sender(send, self.raw_headers, self._beat))
        except Problem as problem:
            await problem.response(scope["path"])(scope, receive, send)

    async def _run(self, receive: Receive, sender: "_Sender") -> None:
        gone = asyncio.create_task(_disconnected(receive))
        gone.add_done_callback(lambda _: self._listener.woken.set())
        try:
            await sender.begin(self._cursor)
            with suppress(_Ended):
                while True:
                    await self._read_behind_feed(gone, sender)
                    await self._follow_feed(gone, sender)
            await sender.end()
        except TimeoutError:  # broken off: what is not taken is not waited for
            pass
        finally:
            self._streams.feed.detach(self._listener)
            gone.cancel()

    async def _read_behind_feed(self, gone: "asyncio.Task[None]", sender: "_Sender") -> None:
        """Send what the database has. From where this ends on, the feed has given everything to the listener."""
        await self._streams.feed.attach(self._listener)
        more = True
        while more:
            await self._check(gone)
            wanted = self._asked.wanted
            page = await self._service.query(
                version_events, self._service.database, self._cursor, wanted=wanted, limit=PAGE
            )
            await sender.send([frame_of(event) for event in page.told(wanted.scopes)], self._streams)
            self._cursor, more = page.cursor, page.more

    async def _follow_feed(self, gone: "asyncio.Task[None]", sender: "_Sender") -> None:
        """Send what the feed gives, until that is too much."""
        listener = self._listener
        sent_at = time.monotonic()
        while not listener.is_behind:
            listener.woken.clear()
            await self._check(gone)
            listener.wanted = self._asked.wanted
            if frames := list(self._frames()):
                await sender.send(frames, self._streams)
            elif time.monotonic() - sent_at >= HEARTBEAT_S and not listener.is_behind:
                self._cursor = _further(self._cursor, self._streams.feed.cursor)
                await sender.heartbeat(self._cursor)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(RIGHTS_S):
                        await listener.woken.wait()
                continue
            sent_at = time.monotonic()
        self._streams.fallbacks.inc()

    def _frames(self) -> Iterator[bytes]:
        """What was given and not sent yet, without what was read from the database already."""
        given, scopes = self._listener.events, self._asked.wanted.scopes
        while given:
            event = given.popleft()
            info = event.info
            if self._cursor.reached.get(info.partition, BEFORE_ALL) >= (info.position, info.index):
                continue
            if not self._asked.wanted.accepts(info):  # its rights were looked at meanwhile
                continue
            shown = info.shown_within(scopes)
            further = _further(self._cursor, event.cursor)
            is_feeds = shown is info and further is event.cursor
            self._cursor = further
            yield event.frame if is_feeds else frame_of(shown.told(further))

    async def _check(self, gone: "asyncio.Task[None]") -> None:
        """Look whether to go on, with the rights that the caller has now. Raises: _Ended."""
        if gone.done() or self._service.is_stopping:
            raise _Ended
        try:
            asked = await self._asked.renewed()
        except Problem:
            raise _Ended from None
        if asked is None:
            raise _Ended
        self._asked = asked


class _Ended(Exception):
    """The stream is over."""


class _Sender:
    """Sends pieces of one answer. Each must be taken within SEND_S_MAX. Raises: TimeoutError."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]], beat: str) -> None:
        self._send = send
        self._headers = headers
        self._beat = beat

    async def begin(self, cursor: EventCursor) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await self._piece(f"retry: {RETRY_MS}\nid: {cursor.encode()}\n\n".encode())

    async def send(self, frames: list[bytes], streams: Streams) -> None:
        """Send events, in pieces of about PIECE_BYTES_MAX."""
        piece = bytearray()
        for frame in frames:
            piece += frame
            if len(piece) >= PIECE_BYTES_MAX:
                await self._piece(bytes(piece))
                piece.clear()
        if piece:
            await self._piece(bytes(piece))
        if frames:
            streams.sent.inc(len(frames))

    async def heartbeat(self, cursor: EventCursor) -> None:
        await self._piece(f"{self._beat}id: {cursor.encode()}\n\n".encode())

    async def end(self) -> None:
        async with asyncio.timeout(SEND_S_MAX):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _piece(self, piece: bytes) -> None:
        async with asyncio.timeout(SEND_S_MAX):
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _further(cursor: EventCursor, other: EventCursor) -> EventCursor:
    """The one that includes the other, or both together."""
    if all(other.reached.get(partition, BEFORE_ALL) >= reached for partition, reached in cursor.reached.items()):
        return other
    reached = dict(other.reached)
    for partition, own in cursor.reached.items():
        reached[partition] = max(own, reached.get(partition, BEFORE_ALL))
    return EventCursor(other.generation, reached)
