"""Detecting from outside that the main loop hangs, and ending the process.

A client library that waits forever cannot be interrupted from within. So the loop reports at every step what it is
doing and how long that may take, a thread watches, and a supervisor restarts the process: nothing is lost, since the
database knows its position.
"""

import faulthandler
import os
import time
from typing import NamedTuple

from headwater_consumer.service.background import BackgroundThread

CHECK_S = 1.0  # between checks
STUCK_EXIT_CODE = 75  # "temporary failure" of sysexits.h: restart it
STDERR = 2  # written to without Python's buffers and locks, which may be what hangs


class Beat(NamedTuple):
    """One step of the main loop."""

    number: int
    stage: str  # what it is doing, for people
    limit_s: float  # how long it may take until the next beat
    time_s: float  # when it began, seconds since 1970


class Heartbeat:
    """The main loop's current step. Written by one thread."""

    def __init__(self) -> None:
        self.last = Beat(0, "start", float("inf"), time.time())

    def begin(self, stage: str, limit_s: float) -> None:
        """A new step begins."""
        self.last = Beat(self.last.number + 1, stage, limit_s, time.time())

    def progress(self) -> None:
        """The current step advances."""
        number, stage, limit_s, _ = self.last
        self.last = Beat(number + 1, stage, limit_s, time.time())


class Watchdog(BackgroundThread):
    """Ends this process, with STUCK_EXIT_CODE and the stacks of all threads, when no beat came in time."""

    def __init__(self, heartbeat: Heartbeat, command: str, *, check_s: float = CHECK_S) -> None:
        """`command`: which command of headwater's this process is, for people."""
        super().__init__("watchdog")
        self._command = command
        self._heartbeat = heartbeat
        self._check_s = check_s

    def work(self) -> None:
        seen, still_s, before = -1, 0.0, time.monotonic()
        while not self.stopping.wait(self._check_s):
            now = time.monotonic()
            # A process that was stopped and continued did not hang: both threads were stopped.
            passed, before = min(now - before, 2 * self._check_s), now
            beat = self._heartbeat.last
            still_s = still_s + passed if beat.number == seen else 0.0
            seen = beat.number
            if still_s > beat.limit_s:
                _end(self._command, beat, still_s)


def _end(command: str, beat: Beat, still_s: float) -> None:
    text = (
        f'headwater {command}: no progress for {still_s:.0f} s in the step "{beat.stage}", so this process ends with '
        f"exit code {STUCK_EXIT_CODE}. Nothing is lost; restart it. Its stacks:\n"
    )
    os.write(STDERR, text.encode())
    faulthandler.dump_traceback(STDERR, all_threads=True)
    os._exit(STUCK_EXIT_CODE)
