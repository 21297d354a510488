"""Start and stop servers that keep running: `make services` starts them in a folder, `make services-down` stops them.

The folder keeps their data. While any of them runs, `servers.json` in it holds their addresses; each server's own
folder holds the number of its process.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services import compose
from services.binaries import binaries, program_paths
from services.cache import locked, report
from services.native import NativeServers
from services.servers import Servers

COMPOSE, NATIVE = "compose", "native"


@dataclass(frozen=True)
class StartedServers:
    """The servers that were started in a folder."""

    engine: str  # COMPOSE or NATIVE
    servers: Servers


def up(folder: Path, *, native: bool = False) -> Servers:
    """Start the servers that are not running, and return their addresses.

    They run in containers if an engine is available, unless `native`.

    Raises:
        ServicesFailed: a server did not start; the message says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if native or _runs_natively(folder) or not compose.works():
            return _up_natively(folder)
        _record(folder, StartedServers(COMPOSE, compose.servers()))
        compose.up()
        return compose.servers()


def down(folder: Path) -> bool:
    """Stop the servers that were started in a folder; returns whether there were any. The data is kept."""
    if not (folder / "lock").exists():
        return False
    with locked(folder / "lock"):
        if (started := read(folder)) is None:
            return False
        if started.engine == COMPOSE:
            compose.down()
        else:
            NativeServers(folder, program_paths(), detached=True).stop()
        (folder / "servers.json").unlink()
        return True


@contextmanager
def running(folder: Path) -> Iterator[Servers]:
    """A block in which the servers of a folder run; those that did not run before are stopped after it.

    Raises: as `up`.
    """
    was_up = all(states(folder).values() or [False])
    servers = up(folder)
    try:
        yield servers
    finally:
        if not was_up:
            down(folder)


def states(folder: Path) -> dict[str, bool]:
    """Whether each server is ready, by title; empty if none was started."""
    if (started := read(folder)) is None:
        return {}
    if started.engine == COMPOSE:
        return compose.states()
    native = NativeServers(folder, program_paths(), detached=True)
    return {server.title: server.alive and server.is_ready() for server in native.all}


def read(folder: Path) -> StartedServers | None:
    """The servers that were started in a folder and not stopped since."""
    try:
        found = json.loads((folder / "servers.json").read_text())
    except FileNotFoundError:
        return None
    return StartedServers(found["engine"], Servers.from_dict(found))


def _up_natively(folder: Path) -> Servers:
    native = NativeServers(folder, binaries(), detached=True)
    _record(folder, StartedServers(NATIVE, native.servers))
    report("services: starting Kafka, PostgreSQL and MinIO")
    return native.start()


def _runs_natively(folder: Path) -> bool:
    started = read(folder)
    return started is not None and started.engine == NATIVE and any(states(folder).values())


def _record(folder: Path, started: StartedServers) -> None:
    partial = folder / "servers.partial"
    partial.touch(0o600)  # it holds passwords
    partial.write_text(json.dumps({"engine": started.engine, **started.servers.to_dict()}, indent=2))
    partial.rename(folder / "servers.json")
