"""Requests to an application in this process, where what it does can be made to fail."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp

from tests.support.serving import Answer


def asked(app: ASGIApp, path: str, headers: Mapping[str, str]) -> Answer:
    """A GET, as its server hands it on; from this machine, which is called so."""
    given = {"host": "127.0.0.1", **headers}
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    start = sent[0]
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    cookies = [value.decode() for name, value in start["headers"] if name == b"set-cookie"]
    return Answer(start["status"], told, b"".join(message.get("body", b"") for message in sent[1:]), cookies)
