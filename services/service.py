"""`python -m services.service`: all of headwater on this machine until Ctrl-C, without an image of it.

It runs on the servers of `make services`. The rest are the processes of `docker-compose.yml`, by the same commands.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from services import ServicesFailed, compose, lifecycle
from services.__main__ import FOLDER, exports
from services.cache import report
from services.ports import LOOPBACK
from services.processes import Server, start_all, stop_all

EVERY_ADDRESS = "0.0.0.0"  # within a container; natively, the loopback address
KEY_VARIABLE = "HEADWATER_SERVER_KEY_FILE"
LOOK_S = 1.0  # between chances to handle a signal


@dataclass(frozen=True)
class ServiceCommand:
    """One of headwater's own services in the file for Docker Compose."""

    name: str
    words: tuple[str, ...]  # after `headwater`
    asks: tuple[str, ...]  # likewise, whether it is healthy; empty for one that ends

    @classmethod
    def of(cls, name: str, said: Mapping[str, Any], ports: Mapping[str, str]) -> "ServiceCommand":
        _, *test = said["healthcheck"].get("test", ["NONE"])
        assert test[:1] in ([], ["headwater"]), f"{name} is asked by {test}"
        return cls(name, _natively(said["command"], ports), _natively(test[1:], ports))

    @property
    def address(self) -> str:
        """The URL of what is asked, without its path."""
        return self.asks[-1].rpartition("/")[0]


def service_commands(ports: Mapping[str, str] = MappingProxyType({})) -> dict[str, ServiceCommand]:
    """Headwater's own services, by name, in the order of the file; with other `ports` than those there."""
    services = yaml.safe_load(compose.FILE.read_text("utf-8"))["services"]
    ours = {name: said for name, said in services.items() if name not in compose.SERVICES}
    return {name: ServiceCommand.of(name, said, ports) for name, said in ours.items()}


def _natively(words: Sequence[str], ports: Mapping[str, str]) -> tuple[str, ...]:
    """The same words where there is no container, in which every address is one of the machine's own."""
    said = [LOOPBACK if word == EVERY_ADDRESS else word for word in words]
    for port, other in ports.items():
        said = [other if word == port else word.replace(f":{port}/", f":{other}/") for word in said]
    return tuple(said)


class HeadwaterProcess(Server):
    """One of them as a process."""

    def __init__(self, folder: Path, command: ServiceCommand, environment: Mapping[str, str]) -> None:
        super().__init__(folder / command.name)
        self.title = command.name  # type: ignore[misc]
        self._command, self._environment = command, environment

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "headwater", *self._command.words]

    def environment(self) -> Mapping[str, str]:
        return self._environment

    def is_ready(self) -> bool:
        """Whether it is healthy."""
        return headwater(self._command.asks, self._environment).returncode == 0


def headwater(words: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `headwater WORDS` to its end."""
    command = [sys.executable, "-m", "headwater", *words]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)


class Service:
    """The set-up, and the processes of headwater that run until they are stopped."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, ports: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`environment` names the servers to use. `ports`: others instead of those of the file."""
        self.environment = {KEY_VARIABLE: str(folder / "server.key"), **environment}
        commands = service_commands(ports)
        self.address = commands["server"].address
        self._once = [command for command in commands.values() if not command.asks]
        lasting = [command for command in commands.values() if command.asks]
        self.processes = [HeadwaterProcess(folder, command, self.environment) for command in lasting]

    def start(self) -> None:
        """Set up what is missing, then start all. Raises: ServicesFailed."""
        for command in self._once:
            ended = headwater(command.words, self.environment)
            if ended.returncode:
                raise ServicesFailed(f"`headwater {command.name}` failed: {ended.stderr.strip()}")
        start_all(self.processes)

    def stop(self) -> None:
        """Stop all that run."""
        stop_all(self.processes)


def main() -> int:
    """Start everything, and stop it on Ctrl-C; servers that were running before are left."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with lifecycle.running(FOLDER) as servers:
            service = Service(FOLDER, servers.environment())
            try:
                service.start()
                report(f"service: running at {service.address}, with data and logs in {FOLDER}. Ctrl-C stops it.")
                report("service: for its first token, and whatever else its operator does:")
                print(exports(service.environment), flush=True)
                while True:  # a signal that comes just before a wait begins does not end it
                    time.sleep(LOOK_S)
            except KeyboardInterrupt:
                report("service: stopping; the data is kept")
            finally:
                service.stop()
    except ServicesFailed as error:
        report(f"services: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
