"""Headwater servers for tests: one process beside each test process, with a server for every store that it is told of.

Each store has an application of its own, under a path of its own, as a server behind a proxy has: starting a process
for each would take longer than most tests. Processes of servers are tested in tests/server.

python -m tests.support.server_host      reads "start NAME FOLDER" and "stop NAME" lines, answers each with a line
"""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ANSWER = "done"

_names = count()


class Servers:
    """An application for all stores: the first part of a path says which. `uvicorn` calls it."""

    def __init__(self) -> None:
        self._apps: dict[str, tuple[Any, ExitStack]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].split("/")[1]
        if name not in self._apps:  # a process that its test left behind
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body"})
            return
        app, _ = self._apps[name]
        within = {**scope, "path": scope["path"].removeprefix(f"/{name}"), "raw_path": None}
        await app(within, receive, send)

    def start(self, name: str, folder: Path) -> None:
        """Serve a store, which is created if missing, to everybody."""
        from headwater_server.access.authentication import OpenAuthentication
        from headwater_server.app import make_app
        from headwater_server.opening import opened_service
        from headwater_stores.config.settings import read_settings

        settings = read_settings(url=str(folder))
        with ExitStack() as opened:
            service = opened.enter_context(opened_service(settings, with_projector=False))
            opened.callback(service.stop)
            self._apps[name] = make_app(service, OpenAuthentication(), settings), opened.pop_all()

    def stop(self, name: str) -> None:
        """End it."""
        _, opened = self._apps.pop(name)
        opened.close()


def host() -> None:
    """Serve until the other end of standard input is closed."""
    import uvicorn

    logging.basicConfig(level=logging.WARNING)
    servers, listening = Servers(), socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(
        servers, loop="uvloop", http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    threading.Thread(target=uvicorn.Server(config).run, args=([listening],), daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    while line := sys.stdin.readline():
        word, name, *folder = line.rstrip("\n").split(" ", 2)
        if word == "start":
            servers.start(name, Path(folder[0]))
        else:
            servers.stop(name)
        print(ANSWER, flush=True)


@cache
def _host_of(process_id: int) -> "tuple[subprocess.Popen[str], int]":
    """`process_id` is this process's: a forked child has none, and starts its own. With its port."""
    assert process_id == os.getpid()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.server_host"],
        cwd=ROOT,
        env={**kept, "HEADWATER_SETTINGS": os.devnull},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _send(line: str) -> None:
    process, _ = _host_of(os.getpid())
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    answer = process.stdout.readline().strip()
    assert answer == ANSWER, f"the server host ended: {answer!r}"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL at which the store in `folder` is served until the end of the block."""
    name = f"store-{os.getpid()}-{next(_names)}"
    _, port = _host_of(os.getpid())
    _send(f"start {name} {folder}")
    try:
        yield f"http://127.0.0.1:{port}/{name}"
    finally:
        _send(f"stop {name}")


def restart(url: str, folder: Path) -> None:
    """Have the server at this URL begin anew: what it remembered of its store is forgotten."""
    name = url.rpartition("/")[2]
    _send(f"stop {name}")
    _send(f"start {name} {folder}")


if __name__ == "__main__":
    host()
