"""Processes, and the servers that run in them.

A process is identified by its number and its start time: numbers are reused, and a signal must never reach another
process.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from services import ServicesFailed

STOP_S = 20.0  # after the stop signal; Kafka without a majority of its cluster never ends by itself
END_S = 20.0  # after SIGKILL, on a busy disk
PAUSE_S = 20.0  # for SIGSTOP to take effect
READY_S = 120.0  # Kafka takes 4 s on a quiet machine
POLL_S = 0.05
PROCESS_FILE = "process.json"  # in a server's folder while it runs
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LOG_LINES_SHOWN = 15  # enough to hold a Java error and its cause

_CPU_TICKS = (11, 12, 13, 14)  # user, system, and the same of ended children, in /proc/PID/stat from the state on


@dataclass(frozen=True)
class Process:
    """One process on this machine."""

    pid: int
    start_time: str  # boot id and clock ticks since boot; a later process with this number has a later one

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The process with this number, or None."""
        found = _stat(pid)
        return cls(pid, f"{_boot()}:{found[19]}") if found else None

    @property
    def alive(self) -> bool:
        """Whether it is running; a zombie is not."""
        return Process.of(self.pid) == self

    def signal(self, number: int) -> None:
        """Send a signal unless the process has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive:  # checked after opening the handle, which from then on refers to this process only
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)

    @property
    def frozen(self) -> bool:
        """Whether it is stopped by a signal."""
        return (_stat(self.pid) or "-")[0] == "T"

    @property
    def cpu_s(self) -> float:
        """The CPU time of the process and of those of its children that have ended; 0 once it has ended itself."""
        found = _stat(self.pid)
        if found is None or not self.alive:
            return 0.0
        return sum(int(found[i]) for i in _CPU_TICKS) / TICKS_PER_S

    def ends_within(self, seconds: float) -> bool:
        """Wait for it to end; returns whether it did."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            return not self.alive or bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)

    def children(self) -> list["Process"]:
        """Its running child processes."""
        pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
        mine = (pid for pid in pids if (found := _stat(pid)) and found[1] == str(self.pid))
        return [child for pid in mine if (child := Process.of(pid))]


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; None if there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Server(ABC):
    """A server with its own folder and port that can be stopped, killed, paused and restarted on the same data.

    Unless it is `detached`, it ends with the thread that started it.
    """

    title: ClassVar[str]
    stop_signal: ClassVar[int] = signal.SIGTERM
    as_nobody: ClassVar[bool] = False  # whether it refuses to run as root

    def __init__(self, folder: Path, *, detached: bool = False) -> None:
        self.folder = folder
        self.detached = detached
        self.process = recorded(folder)  # started here earlier and still running
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Its standard output and error."""
        return self.folder / "log.txt"

    @property
    def alive(self) -> bool:
        """Whether its process is running; it may not be ready yet."""
        return self.process is not None and self.process.alive

    def start(self) -> None:
        """Start it unless it is running, and wait until it is ready."""
        start_all([self])

    def prepare(self) -> None:
        """Create what it needs on disk; called before each start."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def launch(self) -> None:
        """Start its process without waiting until it is ready."""
        if self.alive:
            return
        self.prepare()
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*self._prefix(), *self.command()],
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must not reach it
            )
        self.process = Process.of(self._child.pid)
        if self.process:
            (self.folder / PROCESS_FILE).write_text(json.dumps([self.process.pid, self.process.start_time]))

    def wait_until_ready(self) -> None:
        """Wait until it is ready.

        Raises:
            ServicesFailed: it ended or was not ready in time; the message quotes the end of its log.
        """
        deadline = time.monotonic() + READY_S
        while not self.is_ready():
            if not self.alive:
                raise ServicesFailed(f"{self.title} ended during its start. {self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServicesFailed(f"{self.title} was not ready within {READY_S:.0f} s. {self.log_tail()}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop it, by force if it does not end in time."""
        if self.process is None:
            return
        self.process.signal(self.stop_signal)
        self.resume()  # a paused process handles no other signal
        if not self.process.ends_within(STOP_S):
            self.kill()
        self._reap()

    def kill(self) -> None:
        """Kill it and its child processes, as a power failure would."""
        family = self._family()
        for member in family:  # the parent first, so that it does not react to the end of its children
            member.signal(signal.SIGKILL)
        if left := [member.pid for member in family if not member.ends_within(END_S)]:
            raise ServicesFailed(
                f"{self.title} did not end within {END_S:.0f} s after SIGKILL. Check the processes {left}."
            )
        self._reap()

    def pause(self) -> None:
        """Stop all its processes: connections stay open, but nothing answers."""
        family = self._family()
        for member in family:
            member.signal(signal.SIGSTOP)
        deadline = time.monotonic() + PAUSE_S
        while not all(member.frozen or not member.alive for member in family):
            if time.monotonic() > deadline:
                raise ServicesFailed(f"{self.title} was still running {PAUSE_S:.0f} s after SIGSTOP.")
            time.sleep(POLL_S)

    def resume(self) -> None:
        """Continue it after `pause`."""
        for member in self._family():
            member.signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """The end of its log, for error messages."""
        return f"The end of {self.log}:\n{tail(self.log)}"

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command that runs it in the foreground."""

    def environment(self) -> Mapping[str, str]:
        """Environment variables to add for its process."""
        return {}

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it serves requests."""

    def run(self, command: Sequence[str]) -> None:
        """Run a program that prepares its folder, as the user that the server runs as."""
        with self.log.open("ab") as log:
            ended = subprocess.run(
                [*self._prefix(), *command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if ended.returncode:
            raise ServicesFailed(f"{self.title} could not be set up: {command[0]} failed. {self.log_tail()}")

    def _family(self) -> list[Process]:
        return [self.process, *self.process.children()] if self.process and self.process.alive else []

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(END_S)
        self.process = self._child = None
        (self.folder / PROCESS_FILE).unlink(missing_ok=True)

    def _prefix(self) -> list[str]:
        words = [] if self.detached else ["--pdeathsig", "KILL"]
        words += _AS_NOBODY if self.as_nobody and os.geteuid() == 0 else []
        return [shutil.which("setpriv") or "setpriv", *words] if words else []


# The user nobody, with the capability to enter folders that only root may enter: a home, a checkout, a cache.
_AS_NOBODY = [
    *("--reuid=nobody", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"),
]


def start_all(servers: Sequence[Server]) -> None:
    """Start servers in parallel and wait until all are ready; if one fails, all that were started here are killed."""
    fresh = [server for server in servers if not server.alive]
    if len(fresh) > 1:
        with ThreadPoolExecutor(len(fresh)) as threads:
            list(threads.map(Server.prepare, fresh))
    try:
        for server in fresh:  # not in a thread: a server ends with the thread that started it
            server.launch()
        for server in servers:
            server.wait_until_ready()
    except BaseException:
        for server in fresh:
            server.kill()
        raise


def stop_all(servers: Sequence[Server]) -> None:
    """Stop servers in the given order."""
    for server in servers:
        server.stop()


def recorded(folder: Path) -> Process | None:
    """The process of the server in a folder, if it is running."""
    try:
        pid, start_time = json.loads((folder / PROCESS_FILE).read_text())
    except (FileNotFoundError, ValueError):  # the process that wrote it was killed while writing
        return None
    process = Process(pid, start_time)
    return process if process.alive else None


def tail(path: Path, lines: int = LOG_LINES_SHOWN) -> str:
    """The last lines of a text file, or "(nothing)"."""
    return "\n".join(_lines(path)[-lines:]) or "(nothing)"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
