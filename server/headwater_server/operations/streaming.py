"""The answer while a command runs: what it writes, as it comes, and at the end how it ended.

A client that goes interrupts its command, as Ctrl-C would, and so does a server that stops; running it again completes
it. Who takes nothing is taken for gone.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response
from headwater_schemas.operations import BEAT, END, MEDIA_TYPE, End, frame
from starlette.types import Receive, Scope, Send

from headwater_server.limits import HEARTBEAT_S, INTERRUPTED_S_MAX, PIECE_S_MAX, STOPPED_S_MAX
from headwater_server.operations.commands import Command
from headwater_server.operations.process import CommandProcess
from headwater_server.operations.running import Operations

STOPPING = "the server stops"

_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold it back
    "X-Content-Type-Options": "nosniff",
}
_log = logging.getLogger("headwater.server")


class CommandAnswer(Response):
    """What a command writes. The command runs while it is sent."""

    def __init__(
        self, operations: Operations, principal: str, command: Command, body: AsyncIterator[bytes] | None = None
    ) -> None:
        """`body`: the file that the command takes."""
        super().__init__(headers=dict(_HEADERS), media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._operations, self._principal = operations, principal
        self._command, self._body = command, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """See ASGI. Raises: Problem before anything is sent, where too many run, or its file does not arrive."""
        service = self._operations.service
        stopping = service.stopping()
        stop = asyncio.create_task(stopping.wait())
        try:
            async with self._operations.run(self._command, self._principal) as process:
                if self._body is not None:
                    await _fed(process, self._body, stop)
                await _Relay(process, _Sender(send, self.raw_headers), stop).run(receive)
        finally:
            stop.cancel()
            service.forget(stopping)


async def _fed(process: CommandProcess, body: AsyncIterator[bytes], stop: "asyncio.Task[bool]") -> None:
    """Give it all of its file first, so that whatever is wrong with that is answered as an error. Raises: Problem."""
    feeding = asyncio.create_task(process.feed(body))
    try:
        await asyncio.wait({feeding, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.done():
            await feeding
    finally:
        await _cancelled(feeding)


class _Relay:
    """Sends what one command writes."""

    def __init__(self, process: CommandProcess, sender: "_Sender", stop: "asyncio.Task[bool]") -> None:
        """`stop` is done once the server begins to stop."""
        self._process, self._sender, self._stop = process, sender, stop

    async def run(self, receive: Receive) -> None:
        """Until the command has ended. What is sent to a client that is gone is lost without a word."""
        relaying = asyncio.create_task(self._relay())
        gone = asyncio.create_task(_disconnected(receive))
        given_up = asyncio.create_task(self._sender.given_up.wait())
        beating = asyncio.create_task(self._sender.beat())
        try:
            await asyncio.wait({relaying, gone, given_up, self._stop}, return_when=asyncio.FIRST_COMPLETED)
            is_interrupted = not relaying.done()
            if is_interrupted:
                await self._interrupt(relaying)
            end = End(await relaying, STOPPING if is_interrupted and self._stop.done() else None)
            await self._sender.end(end)
        finally:
            await _cancelled(relaying, gone, given_up, beating)

    async def _interrupt(self, relaying: "asyncio.Task[int]") -> None:
        """Have it end as after Ctrl-C, in time."""
        self._process.interrupt()
        if not self._stop.done():
            await asyncio.wait({relaying, self._stop}, timeout=INTERRUPTED_S_MAX, return_when=asyncio.FIRST_COMPLETED)
        if self._stop.done():
            await asyncio.wait({relaying}, timeout=STOPPED_S_MAX)
        if not relaying.done():
            _log.warning("Process %d did not end when it was interrupted, and is ended.", self._process.pid)
            self._process.kill()

    async def _relay(self) -> int:
        """Its exit code, once all that it wrote is sent."""
        async with asyncio.TaskGroup() as group:
            for kind in self._process.kinds:
                group.create_task(self._relay_kind(kind))
        return await self._process.ended()

    async def _relay_kind(self, kind: bytes) -> None:
        async for piece in self._process.pieces(kind):
            await self._sender.send(frame(kind, piece))


class _Sender:
    """Sends frames of one answer, each whole. Once its client takes none in time, it sends no more."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send, self._headers = send, headers
        self._turn = asyncio.Lock()
        self._is_begun = False
        self._sent_s = time.monotonic()
        self.given_up = asyncio.Event()

    async def send(self, piece: bytes) -> None:
        """Send it, once what was to be sent before has been taken."""
        async with self._turn:
            if self.given_up.is_set():
                return
            try:
                async with asyncio.timeout(PIECE_S_MAX):
                    await self._begin()
                    await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            except TimeoutError:
                self.given_up.set()
            self._sent_s = time.monotonic()

    async def beat(self) -> None:
        """Show a sign of life at once, and whenever nothing came for a while, as long as anybody takes it."""
        await self.send(frame(BEAT))
        while not self.given_up.is_set():
            idle_s = time.monotonic() - self._sent_s
            if idle_s >= HEARTBEAT_S:
                await self.send(frame(BEAT))
            else:
                await asyncio.sleep(HEARTBEAT_S - idle_s)

    async def end(self, end: End) -> None:
        """Send the last frame, without which nothing that was sent counts."""
        await self.send(frame(END, end.encode()))
        if not self.given_up.is_set():
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            await self._send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": self._headers})


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Return once none of them uses a pipe of the process any more, whose descriptors are closed then."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
