"""Uploads in several requests, for tests: servers for them, on either kind of store, and the requests."""

import json
import os
import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from headwater_consumer.operational.database import OperationalDatabase
from headwater_schemas import digests
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores
from headwater_stores.operational import open_operational
from headwater_stores.stores import Stores

from tests.server.attacks.raw import connected, send_all
from tests.service_faults.deployment import deployed
from tests.support.modes import EMBEDDED
from tests.support.serving import Answer, ServerProcess, serving, until

PROJECT = "team/vision"
CONTENTS = f"/v1/projects/{PROJECT}/contents"
UPLOADS = f"{CONTENTS}/uploads"
STEP_BYTES = 8 * 1024 * 1024  # a bucket keeps parts of this size
CONTENT = random.Random(3).randbytes(2 * STEP_BYTES + 54_321)
FIRST = STEP_BYTES + 1_234_567  # of what is sent first


@dataclass
class Store:
    """A store that servers of this test have, on this machine's folder or on servers."""

    folder: Path
    environment: Mapping[str, str] | None  # of a profile

    @property
    def step(self) -> int:
        """What is kept is a multiple of it."""
        return 1 if self.environment is None else STEP_BYTES

    def serving(self, *more: str, program: str = "headwater") -> AbstractContextManager[ServerProcess]:
        """A block with a server of it."""
        where = ["--url", str(self.folder)] if self.environment is None else ["--with-projector"]
        return serving(*where, "--open", *more, env=self.environment, program=program)

    @contextmanager
    def opened(self) -> Iterator[tuple[Stores, OperationalDatabase]]:
        """What is in it, by an operator."""
        settings = read_settings(self.environment, url=self.folder if self.environment is None else None)
        with (
            closing(open_stores(settings, create=False)) as stores,
            closing(open_operational(settings)) as operational,
        ):
            yield stores, operational

    def left(self) -> tuple[list[str], list[str]]:
        """The objects, and what is staged."""
        with self.opened() as (stores, _):
            return (
                [one.name for one in stores.blobs.list_objects()],
                [one.name for one in stores.blobs.abandoned()],
            )


@contextmanager
def store_of(mode: str, folder: Path) -> Iterator[Store]:
    with ExitStack() as stack:
        if mode == EMBEDDED:
            yield Store(folder / "store", None)
            return
        environment = stack.enter_context(deployed(folder)).environment
        key = folder / "server.key"
        key.write_text("ab" * 32)
        key.chmod(0o600)
        yield Store(folder, {**os.environ, **environment, "HEADWATER_SERVER_KEY_FILE": str(key)})


def text_of(content: bytes, algorithm: str = digests.BLAKE3) -> str:
    return digests.to_text(digests.pack(algorithm, digests.one_shot(algorithm)(content)))


def begin(
    server: ServerProcess, content: bytes = CONTENT, *, digest: str | None = "", project: str = PROJECT, **how: Any
) -> Answer:
    """`digest`: None to say none; the content's unless given."""
    asked = {"size": len(content), "digest": text_of(content) if digest == "" else digest}
    return server.ask("POST", f"/v1/projects/{project}/contents/uploads", json.dumps(asked).encode(), **how)


def begun(server: ServerProcess, content: bytes = CONTENT, **how: Any) -> str:
    """The path of a new upload."""
    answer = begin(server, content, **how)
    assert answer.status == 201, answer.body
    return answer.headers["location"]


def send(server: ServerProcess, path: str, offset: int, body: bytes, *, token: str | None = None) -> Answer:
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/partial-upload"}
    return server.ask("PATCH", path, body, headers=headers, token=token)


def send_chunked(server: ServerProcess, path: str, offset: int, body: bytes, *, token: str | None = None) -> Answer:
    """Without saying how much comes."""
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/partial-upload"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    with closing(HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as connection:
        pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
        connection.request("PATCH", path, pieces, headers, encode_chunked=True)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())


def begin_to_send(server: ServerProcess, path: str, offset: int, body: bytes, told: int) -> socket.socket:
    """A connection on which `body` was sent of a request that says that `told` bytes come."""
    head = f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nUpload-Offset: {offset}\r\nContent-Length: {told}\r\n\r\n"
    connection = connected(server)
    assert send_all(connection, [head.encode(), body])
    return connection


def break_off(server: ServerProcess, path: str, offset: int, body: bytes, told: int) -> int:
    """Send a part of a request and go; how much of the upload is kept then."""
    before = state(server, path)["offset"]
    with begin_to_send(server, path, offset, body, told):
        until(lambda: bytes_arrived(server) > 0 or state(server, path)["busy"])
    until(lambda: not state(server, path)["busy"])
    assert state(server, path)["offset"] >= before
    return int(state(server, path)["offset"])


def state(server: ServerProcess, path: str) -> Any:
    return server.get(path)


def bytes_arrived(server: ServerProcess) -> float:
    """Of uploads in several requests, at this server."""
    figures = server.ask("GET", "/metrics").body.decode()
    return float(figures.split("\nheadwater_server_upload_range_bytes_total ")[1].split()[0])
