"""Servers that stand until they are told to end: what `make services` starts in a folder and `make services-down` ends.

The folder keeps their data. `servers.json` in it says where they are, from before the first is started until after
the last has ended; each server's own folder says which process it is.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from services import compose
from services.binaries import binaries, places
from services.cache import locked, say
from services.native import NativeServers
from services.servers import Servers

COMPOSE, NATIVE = "compose", "native"


@dataclass(frozen=True)
class Standing:
    """What was started in a folder."""

    engine: str  # COMPOSE or NATIVE
    servers: Servers


def up(folder: Path, *, native: bool = False) -> Servers:
    """Start what does not run, and say where everything is; containers where an engine works, unless told otherwise.

    Raises:
        ServicesFailed: a server did not come up; the message says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if native or _runs_natively(folder) or not compose.works():
            return _up_natively(folder)
        _record(folder, Standing(COMPOSE, compose.servers()))
        compose.up()
        return compose.servers()


def down(folder: Path) -> bool:
    """End what was started in a folder, and say whether there was anything; the data stays."""
    if not (folder / "lock").exists():
        return False
    with locked(folder / "lock"):
        if (standing := read(folder)) is None:
            return False
        if standing.engine == COMPOSE:
            compose.down()
        else:
            NativeServers(folder, places(), lasting=True).stop()
        (folder / "servers.json").unlink()
        return True


def states(folder: Path) -> dict[str, bool]:
    """By title: whether each server answers; empty when none was started."""
    if (standing := read(folder)) is None:
        return {}
    if standing.engine == COMPOSE:
        return compose.states()
    native = NativeServers(folder, places(), lasting=True)
    return {server.title: server.alive and server.answers() for server in native.all}


def read(folder: Path) -> Standing | None:
    """What was started in a folder and not ended since."""
    try:
        found = json.loads((folder / "servers.json").read_text())
    except FileNotFoundError:
        return None
    return Standing(found["engine"], Servers.from_dict(found))


def _up_natively(folder: Path) -> Servers:
    native = NativeServers(folder, binaries(), lasting=True)
    _record(folder, Standing(NATIVE, native.servers))
    say("services: starting Kafka, PostgreSQL and MinIO")
    return native.start()


def _runs_natively(folder: Path) -> bool:
    standing = read(folder)
    return standing is not None and standing.engine == NATIVE and any(states(folder).values())


def _record(folder: Path, standing: Standing) -> None:
    partial = folder / "servers.partial"
    partial.touch(0o600)  # it holds passwords
    partial.write_text(json.dumps({"engine": standing.engine, **standing.servers.to_dict()}, indent=2))
    partial.rename(folder / "servers.json")
