"""A real `headwater server` process for a test, and requests to it by the standard library alone."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.forked import PIPE, ForkedProcess

START_S = 60.0
STOP_S = 30.0
REQUEST_S = 60.0
_IS_AT = " is at "


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes = field(repr=False)
    set_cookies: Sequence[str] = ()  # each header of that name

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ServerProcess:
    """A server that is running."""

    process: ForkedProcess
    url: str

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        at = urlsplit(self.url)
        connection = HTTPConnection(at.hostname or "", at.port, timeout=REQUEST_S)
        try:
            given = {} if token is None else {"Authorization": f"Bearer {token}"}
            connection.request(method, path, body, {**given, **(headers or {})})
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read(), response.headers.get_all("Set-Cookie", ()))
        finally:
            connection.close()

    def get(self, path: str, **how: Any) -> Any:
        """The JSON of an answer that is no error."""
        answer = self.ask("GET", path, **how)
        assert answer.status == 200, answer
        return answer.json

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_S)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_S)


@contextmanager
def serving(
    *arguments: str, env: Mapping[str, str] | None = None, program: str = "headwater"
) -> Iterator[ServerProcess]:
    """`headwater server ARGUMENTS` on a free port of this machine, ended with the block.

    `program`: the module that is run instead of headwater.
    """
    process = ForkedProcess(["-m", program, "server", "--port", "0", *arguments], env=env, stdout=PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # nothing comes of one that ends at once
        assert _IS_AT in line, (line, process.wait(START_S))
        yield ServerProcess(process, line.split(_IS_AT)[1].strip())
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@contextmanager
def serving_recorded(store: Path, record: Callable[[Path], None]) -> Iterator[ServerProcess]:
    """A server on what `record` records in a new store, on which everybody may do everything."""
    record(store)
    with serving("--url", str(store), "--open") as server:
        yield server


def until(holds: Any, timeout_s: float = REQUEST_S) -> None:
    """Wait until `holds()` is true."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
