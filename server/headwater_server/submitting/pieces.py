"""Sending bytes that are read meanwhile, to clients that take them in time, and what is said of those that are lost."""

import asyncio
import logging
from collections.abc import Generator, Iterable, Mapping
from http import HTTPStatus

from fastapi import Response
from headwater_schemas import digests
from headwater_schemas.errors import BlobMissing, ContentError, HeadwaterError
from headwater_schemas.problems import word_of
from starlette.types import Receive, Scope, Send

from headwater_server.http.problems import Problem
from headwater_server.limits import PIECE_S_MAX
from headwater_server.service import Service

MEDIA_TYPE = "application/octet-stream"

_log = logging.getLogger("headwater.server")


def damaged(error: ContentError, digest: bytes) -> Problem:
    """The answer for content that the store has lost or damaged. Where it was, the log alone has."""
    _log.error("Content was asked for in vain: %s", error)
    found = "is missing from" if isinstance(error, BlobMissing) else "is damaged in"
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        word_of(error),
        f"content {digests.to_text(digest)} {found} the server's store.",
        "Log it again from a file that has it, or have the operator of the server restore it.",
    )


def verified(pieces: Iterable[memoryview], digest: bytes) -> Generator[memoryview, None, None]:
    """The pieces of the content with this digest. Raises: Problem where they turn out to be lost or damaged."""
    try:
        yield from pieces
    except ContentError as error:
        raise damaged(error, digest) from error


class Pieces(Response):
    """Bytes that are read while they are sent, one piece at a time."""

    def __init__(
        self,
        service: Service,
        principal: str,
        pieces: Generator[memoryview, None, None],
        status: int,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(None, status, headers, MEDIA_TYPE)
        self._service, self._principal, self._pieces = service, principal, pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """See ASGI. A client that is gone, or takes no piece for PIECE_S_MAX, is given up. Raises: Problem."""
        with self._service.downloads.counted(self._principal):
            gone = asyncio.ensure_future(_disconnected(receive))
            try:
                # Two, of which the first is sent before the third is read: so whatever goes wrong before any byte is
                # sent is answered as an error.
                pieces = await self._next(), await self._next()
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await self._send(*pieces, gone, send)
            finally:
                gone.cancel()
                await self._service.transfer(self._pieces.close)

    async def _send(
        self, piece: memoryview | None, following: memoryview | None, gone: "asyncio.Future[None]", send: Send
    ) -> None:
        """What ends without its end is broken off, so that the client takes it for nothing whole."""
        try:
            while piece is not None and not gone.done():
                async with asyncio.timeout(PIECE_S_MAX):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                # Read before it is sent: until the last piece is sent, all are known to be right.
                piece, following = following, None if following is None else await self._next()
        except (HeadwaterError, Problem, TimeoutError) as error:
            _log.error("A download broke off: %s", error or f"the client took nothing for {PIECE_S_MAX:g} s")
            return
        await send({"type": "http.response.body", "body": b""})

    async def _next(self) -> memoryview | None:
        return await self._service.transfer(next, self._pieces, None)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
