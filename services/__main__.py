"""`python -m services up|down|status|get`: real servers on this machine, for trying things out."""

import argparse
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from services import ServicesFailed, gcs, lifecycle
from services.binaries import binaries
from services.cache import report

_COMMANDS = ("up", "down", "status", "get")
FOLDER = Path(__file__).parent.parent / ".services"


def main() -> int:
    wanted = _arguments()
    folder = Path(wanted.folder).absolute()
    try:
        match wanted.command:
            case "up":
                return _up(folder, native=wanted.native)
            case "down":
                return _down(folder)
            case "status":
                return _status(folder)
        binaries()
        gcs.program()
        return 0
    except ServicesFailed as error:
        report(f"services: {error}")
        return 1


def _up(folder: Path, *, native: bool) -> int:
    found = lifecycle.up(folder, native=native)
    report(f"services: running, with data in {folder}. To use them:")
    print(exports(found.environment()))
    return 0


def _down(folder: Path) -> int:
    report("services: stopped; the data is kept" if lifecycle.down(folder) else "services: nothing was started here")
    return 0


def _status(folder: Path) -> int:
    """Print the state of each server; exit code 0 if all are up."""
    states = lifecycle.states(folder)
    found = lifecycle.read(folder)
    if not states or found is None:
        report("services: nothing was started here; `make services` starts them")
        return 1
    for title, up in states.items():
        print(f"{title}: {'up' if up else 'down'}")
    print(exports(found.servers.environment()))
    return 0 if all(states.values()) else 1


def exports(environment: Mapping[str, str]) -> str:
    """The lines that set these variables in a shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services", description="Start and stop Kafka, PostgreSQL and MinIO on this machine."
    )
    parser.add_argument("command", choices=_COMMANDS, help="get: only download and build what a native start needs")
    parser.add_argument("--folder", default=FOLDER, help="folder of their data (default: .services in this checkout)")
    parser.add_argument("--native", action="store_true", help="up: without containers, even if an engine is available")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
