"""Decode in a process of its own, which gets the ranges that it asks for, and has to be done in time."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headwater_server.web.previews.contents import TooMuchRead

WALL_S = 10.0  # of the clock on the wall, beside what the worker allows itself of the processor
LINE_BYTES_MAX = 16 * 1024 * 1024  # of an answer: as many lines as are compared, each of the longest
_WORKER = Path(__file__).with_name("worker.py")

Read = Callable[[int, int], bytes]  # the bytes from an offset on, so many


class Failed(Exception):
    """There is no result. `reason`: "no-library", "too-much" (time, memory, or of the file), "unreadable"."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def decoded(read: Read, **asked: Any) -> Any:
    """What the worker makes of what it reads; `asked` has its "action". Raises: Failed; what `read` raises."""
    # Nothing of this process's environment: there are secrets in it.
    with subprocess.Popen(  # noqa: S603 - a file of ours
        [sys.executable, "-I", str(_WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        cwd="/",
    ) as process:
        timer = threading.Timer(WALL_S, process.kill)
        timer.start()
        try:
            return _result(process, read, asked)
        except BrokenPipeError:
            raise Failed("too-much") from None
        finally:
            timer.cancel()
            process.kill()


def _result(process: "subprocess.Popen[bytes]", read: Read, asked: dict[str, Any]) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    _send(process, json.dumps(asked).encode() + b"\n")
    while True:
        line = process.stdout.readline(LINE_BYTES_MAX)
        if not line.endswith(b"\n"):  # it was ended, or says too much
            raise Failed("too-much")
        said = json.loads(line)
        if "read" in said:
            _send(process, _range(read, *said["read"]))
        elif "error" in said:
            raise Failed(said["error"], said.get("detail", ""))
        else:
            return said


def _range(read: Read, first: int, length: int) -> bytes:
    try:
        return read(first, length)
    except TooMuchRead:
        raise Failed("too-much") from None


def _send(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()
