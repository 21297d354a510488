"""Processes, told apart from later ones with the same number, and the servers that run in them.

What is signalled is a process that was seen to be started then, never a number alone: numbers are given again.
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

STOP_S = 20.0  # to end by itself; Kafka with half of its cluster gone never does
END_S = 20.0  # to be gone after SIGKILL, on a busy disk
PAUSE_S = 20.0  # to stand still
READY_S = 120.0  # Kafka takes 4 s on a quiet machine
POLL_S = 0.05
PROCESS_FILE = "process.json"  # in a server's folder while it runs
LOG_LINES_TOLD = 15  # enough to hold a Java error and its cause


@dataclass(frozen=True)
class Process:
    """One process of this machine, from its start to its end."""

    pid: int
    born: str  # boot and clock ticks since; a later process with this number was born later

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The process that has this number now."""
        found = _stat(pid)
        return cls(pid, f"{_boot()}:{found[19]}") if found else None

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that has ended and is not yet waited for does not."""
        return Process.of(self.pid) == self

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive:  # asked after the handle was opened, which from here on means this process alone
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)

    @property
    def frozen(self) -> bool:
        """Whether a signal stopped it, and none resumed it."""
        return (_stat(self.pid) or "-")[0] == "T"

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            return not self.alive or bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)

    def children(self) -> list["Process"]:
        """The processes it started that still run."""
        pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
        mine = (pid for pid in pids if (found := _stat(pid)) and found[1] == str(self.pid))
        return [child for pid in mine if (child := Process.of(pid))]


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on, or None when there is no such process, or a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Server(ABC):
    """A server on a folder and port of its own, which can be ended in every way and started again on the same data.

    Unless it is `lasting` it dies with the thread that started it, however that ends.
    """

    title: ClassVar[str]
    stop_signal: ClassVar[int] = signal.SIGTERM
    as_nobody: ClassVar[bool] = False  # whether it refuses to run as root

    def __init__(self, folder: Path, *, lasting: bool = False) -> None:
        self.folder = folder
        self.lasting = lasting
        self.process = recorded(folder)  # one that an earlier program left running here
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Everything that it said."""
        return self.folder / "log.txt"

    @property
    def alive(self) -> bool:
        """Whether its process runs; it may not answer yet."""
        return self.process is not None and self.process.alive

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        start_all([self])

    def prepare(self) -> None:
        """Make what is needed before the first start; called before each."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def launch(self) -> None:
        """Start its process without waiting for an answer."""
        if self.alive:
            return
        self.prepare()
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*self._wrapped(), *self.command()],
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for who started it
            )
        self.process = Process.of(self._child.pid)
        if self.process:
            (self.folder / PROCESS_FILE).write_text(json.dumps([self.process.pid, self.process.born]))

    def wait_until_ready(self) -> None:
        """Wait until it answers.

        Raises:
            ServicesFailed: it ended, or did not answer in time; the message quotes the end of its log.
        """
        deadline = time.monotonic() + READY_S
        while not self.answers():
            if not self.alive:
                raise ServicesFailed(f"{self.title} ended instead of starting. {self.last_words()}")
            if time.monotonic() > deadline:
                raise ServicesFailed(f"{self.title} did not answer within {READY_S:.0f} s. {self.last_words()}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        if self.process is None:
            return
        self.process.signal(self.stop_signal)
        self.resume()  # a paused process hears nothing else
        if not self.process.ends_within(STOP_S):
            self.kill()
        self._reap()

    def kill(self) -> None:
        """End it at once, with all its processes: what a power cut does to it."""
        family = self._family()
        for member in family:  # its first process first, so that it cannot mourn the others
            member.signal(signal.SIGKILL)
        if left := [member.pid for member in family if not member.ends_within(END_S)]:
            raise ServicesFailed(f"{self.title} did not end {END_S:.0f} s after SIGKILL. Look at the processes {left}.")
        self._reap()

    def pause(self) -> None:
        """Let nothing of it run: connections stay open, and nobody answers."""
        family = self._family()
        for member in family:
            member.signal(signal.SIGSTOP)
        deadline = time.monotonic() + PAUSE_S
        while not all(
            member.frozen or not member.alive for member in family
        ):  # which takes a moment, on a busy machine
            if time.monotonic() > deadline:
                raise ServicesFailed(f"{self.title} did not stand still {PAUSE_S:.0f} s after SIGSTOP.")
            time.sleep(POLL_S)

    def resume(self) -> None:
        """Let it run on."""
        for member in self._family():
            member.signal(signal.SIGCONT)

    def last_words(self) -> str:
        """The end of its log, for an error."""
        return f"The end of {self.log}:\n{tail(self.log)}"

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What runs it in the foreground."""

    def environment(self) -> Mapping[str, str]:
        """Variables for its process, over those of this one."""
        return {}

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does its work now."""

    def run(self, command: Sequence[str]) -> None:
        """Run a program that prepares its folder, with its rights, to the end."""
        with self.log.open("ab") as log:
            ended = subprocess.run(
                [*self._wrapped(), *command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if ended.returncode:
            raise ServicesFailed(f"{self.title} could not be prepared: {command[0]} failed. {self.last_words()}")

    def _family(self) -> list[Process]:
        return [self.process, *self.process.children()] if self.process and self.process.alive else []

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(END_S)
        self.process = self._child = None
        (self.folder / PROCESS_FILE).unlink(missing_ok=True)

    def _wrapped(self) -> list[str]:
        words = [] if self.lasting else ["--pdeathsig", "KILL"]
        words += _AS_NOBODY if self.as_nobody and os.geteuid() == 0 else []
        return [shutil.which("setpriv") or "setpriv", *words] if words else []


# Nobody's rights, and the one to reach folders that only root may enter: a home, a checkout, a cache.
_AS_NOBODY = [
    *("--reuid=nobody", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"),
]


def start_all(servers: Sequence[Server]) -> None:
    """Start servers beside each other, and wait until each answers; when one does not, none is left running."""
    fresh = [server for server in servers if not server.alive]
    if len(fresh) > 1:
        with ThreadPoolExecutor(len(fresh)) as threads:
            list(threads.map(Server.prepare, fresh))
    try:
        for server in fresh:  # not in a thread: a server dies with the thread that started it
            server.launch()
        for server in servers:
            server.wait_until_ready()
    except BaseException:
        for server in fresh:
            server.kill()
        raise


def stop_all(servers: Sequence[Server]) -> None:
    """Stop servers, in the order given."""
    for server in servers:
        server.stop()


def recorded(folder: Path) -> Process | None:
    """The process that serves a folder, if it still runs."""
    try:
        pid, born = json.loads((folder / PROCESS_FILE).read_text())
    except (FileNotFoundError, ValueError):  # cut off while it was written, with the process that wrote it
        return None
    process = Process(pid, born)
    return process if process.alive else None


def tail(path: Path, lines: int = LOG_LINES_TOLD) -> str:
    """The last lines of a text file, or a word that there are none."""
    return "\n".join(_lines(path)[-lines:]) or "(nothing)"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
