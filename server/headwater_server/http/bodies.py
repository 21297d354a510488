"""Read request bodies within a bound."""

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from headwater_server.http.in_flight import BytesInFlight
from headwater_server.http.problems import Problem
from headwater_server.limits import BODY_PAUSE_S_MAX, BODY_S, JSON_BYTES_MAX, JSON_DEPTH_MAX


async def read_body(request: Request, bytes_max: int, *, within_s: float = BODY_S) -> bytes:
    """The whole body. Raises: Problem as soon as it is longer, whatever its headers say, or when it takes too long."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > bytes_max:
        raise _too_large(bytes_max)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            async for piece in pieces_of(request):
                pieces.append(piece)
                size += len(piece)
                if size > bytes_max:
                    raise _too_large(bytes_max)
    except TimeoutError:
        raise _too_slow(within_s) from None
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def pieces_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises: Problem when nothing more arrives, or its sender has gone."""
    _check_coding(request)
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(BODY_PAUSE_S_MAX):
                piece = await anext(stream, None)
        except TimeoutError:
            raise _broken_off(f"nothing arrived for {BODY_PAUSE_S_MAX:g} s") from None
        except ClientDisconnect:
            raise _broken_off("its sender has gone") from None
        if piece is None:
            return
        if piece:
            yield piece


def told_size(request: Request, bytes_max: int) -> int:
    """The size of the body by its header; the bound where it does not say."""
    told = request.headers.get("content-length", "")
    return min(int(told), bytes_max) if told.isdecimal() and len(told) < 19 else bytes_max


async def read_json(request: Request, in_flight: BytesInFlight, principal: str) -> Any:
    """The body as JSON, held for who sends it. Raises: Problem for what is no JSON, too large or too deep."""
    with in_flight.held_for(told_size(request, JSON_BYTES_MAX), principal):
        return parsed(await read_body(request, JSON_BYTES_MAX))


def parsed(body: bytes) -> Any:
    """A body as JSON. Raises: as `read_json`."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise _not_json("it does not parse") from None
    if _is_deeper(value, JSON_DEPTH_MAX):
        raise _not_json(f"it is nested deeper than {JSON_DEPTH_MAX}")
    return value


def _is_deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            below
            for one in level
            if isinstance(one, dict | list)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _check_coding(request: Request) -> None:
    """Nothing is decompressed here: a small body could become a huge one."""
    coding = request.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "compressed",
            "the body is compressed.",
            "Send it as it is.",
            headers={"Accept-Encoding": "identity"},
        )


def _too_slow(within_s: float) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_TIMEOUT,
        "too-slow",
        f"the body was not here after {within_s:g} s.",
        "Send it again.",
        headers={"Connection": "close"},
    )


def _broken_off(why: str) -> Problem:
    return Problem(HTTPStatus.REQUEST_TIMEOUT, "broken-off", f"the body did not arrive: {why}.", "Send it again.")


def _too_large(bytes_max: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        f"the body is larger than {bytes_max:,} bytes.",
        "Send less at once.",
    )


def _not_json(why: str) -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST, "invalid", f"the body is not the JSON that is expected: {why}.", "See /v1/openapi.json."
    )
