"""`headwater server` beside what is measured: the same home, by its address."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from bench import harness
from bench.harness import BenchFailed, Home
from bench.servers import cpu_s_of
from services.ports import LOOPBACK, free_ports
from services.processes import tail

READY_S = 60.0
END_S = 30.0
POLL_S = 0.05
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class ServedHome(Home):
    """A home that is reached through a server."""

    url: str

    def environment(self) -> dict[str, str]:
        return {**Home.environment(self), "HEADWATER_URL": self.url}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is running."""

    process: "subprocess.Popen[str]"
    home: ServedHome

    @property
    def cpu_s(self) -> float:
        """What it has used so far."""
        return cpu_s_of(self.process.pid)

    def figure(self, name: str) -> float:
        """One of its metrics."""
        for line in _get(self.home.url, "/metrics").decode().splitlines():
            found, _, value = line.rpartition(" ")
            if found == f"headwater_server_{name}":
                return float(value)
        raise BenchFailed(f"the server does not tell {name}.")


@contextmanager
def served(home: Home, *options: str) -> Iterator[Server]:
    """A server of the stores of `home`, ended with the block."""
    home.folder.mkdir(parents=True, exist_ok=True)
    log, key = home.folder / "server.txt", home.folder / "server.key"
    if not key.exists():
        key.write_text(os.urandom(KEY_BYTES).hex())
        key.chmod(0o600)
    (port,) = free_ports(1)
    command = str(Path(sys.executable).with_name("headwater"))
    environment = {**home.environment(), "HEADWATER_SERVER_KEY_FILE": str(key)}
    with log.open("ab") as out:
        process = harness.start_python(
            [command, "server", "--open", "--quiet", "--port", str(port), *options], environment, log=out
        )
    url = f"http://{LOOPBACK}:{port}"
    try:
        _wait_until_ready(process, url, log)
        yield Server(process, ServedHome(home.folder, url))
    finally:
        process.terminate()
        process.wait(END_S)


def _wait_until_ready(process: "subprocess.Popen[str]", url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            _get(url, "/ready")
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    raise BenchFailed(f"the server was not ready within {READY_S:g} s: {tail(log)}")


def _get(url: str, path: str) -> bytes:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=READY_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise OSError(f"{path} answered {response.status}")
    return body
