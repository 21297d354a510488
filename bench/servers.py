"""Kafka, PostgreSQL and MinIO for the rows that run on servers: own ones, which keep what they confirm, unless running
ones are named; and what they take of the machine.
"""

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from services.binaries import binaries
from services.native import NativeServers
from services.postgres import create_database
from services.processes import TICKS_PER_S, Process
from services.servers import Servers

RUNNING_VARIABLE = "HEADWATER_TEST_SERVERS"  # names running ones for the tests, too
DATABASE = "bench"

_USED = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq of the columns of /proc/stat


class BenchServers:
    """Started when they are first asked for, by the thread that does so: they end with it, however that ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._native: NativeServers | None = None

    @cached_property
    def at(self) -> Servers:
        """Where they are. Raises: ServicesFailed."""
        if running := os.environ.get(RUNNING_VARIABLE):
            found = Servers.from_json(Path(running).read_text())
        else:
            self._native = NativeServers(self._folder, binaries())
            found = self._native.start()
        create_database(found.postgres, DATABASE)
        return found

    @property
    def are_own(self) -> bool:
        """Whether nobody else uses them, and their data goes with them."""
        return self._native is not None

    def cpu_s(self) -> float | None:
        """What they have used so far; None of servers whose processes are not known."""
        return sum(self.cpu_by_server().values()) if self.are_own else None

    def cpu_by_server(self) -> dict[str, float]:
        """The same for each; nothing of servers whose processes are not known."""
        known = {server.title: server.process for server in (self._native.all if self._native else ())}
        return {title: sum(member.cpu_s for member in (one, *one.children())) for title, one in known.items() if one}

    def close(self) -> None:
        """End those that were started here. Nobody will miss their data."""
        for server in self._native.all if self._native else ():
            server.kill()


@dataclass(frozen=True, slots=True)
class CpuLook:
    """Seconds of CPU used so far, at one moment."""

    time_s: float
    machine_s: float
    ours_s: float  # of the processes that are looked at, and of this one
    measured_s: float  # of the processes that are looked at
    servers_s: float | None

    @classmethod
    def at_now(cls, servers: BenchServers, pids: Sequence[int]) -> "CpuLook":
        own = resource.getrusage(resource.RUSAGE_SELF)
        measured_s = sum(map(cpu_s_of, pids))
        ours_s = measured_s + own.ru_utime + own.ru_stime
        return cls(time.monotonic(), _machine_cpu_s(), ours_s, measured_s, servers.cpu_s())

    def until(self, later: "CpuLook") -> dict[str, float | str]:
        """Cores in use from here to there, on average."""
        seconds = max(later.time_s - self.time_s, 1e-9)
        machine = later.machine_s - self.machine_s
        if self.servers_s is not None and later.servers_s is not None:
            servers, how = later.servers_s - self.servers_s, "of their processes"
        else:
            servers, how = machine - (later.ours_s - self.ours_s), "all that is not ours"
        return {
            "cores_of_machine": os.cpu_count() or 1,
            "cores_used": machine / seconds,
            "cores_used_by_projectors": (later.measured_s - self.measured_s) / seconds,
            "cores_used_by_servers": servers / seconds,
            "servers_counted_as": how,
        }


def _machine_cpu_s() -> float:
    with open("/proc/stat", encoding="ascii") as file:
        columns = file.readline().split()[1:]
    return sum(int(columns[i]) for i in _USED) / TICKS_PER_S


def cpu_s_of(pid: int) -> float:
    """What a process has used so far; 0 once it has ended."""
    process = Process.of(pid)
    return process.cpu_s if process else 0.0
