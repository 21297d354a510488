"""Start Python processes that use headwater, forked from one that has imported everything; see `fork_server`.

They are real processes with their own descriptors, environment and signals. What a test says about starting an
interpreter, or about what is imported when, needs `subprocess` instead.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import IO

from tests.support.fork_server import ENDED, NEWS, Request

ROOT = Path(__file__).parents[2]
PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL

Stream = int | IO[bytes] | None  # PIPE, DEVNULL, an open file, or None: that of this process

_lock = threading.Lock()  # of the server's socket


class ForkedProcess:
    """A process with the methods of `subprocess.Popen`, in text mode."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        start_new_session: bool = False,
    ) -> None:
        """Run what `python ARGUMENTS` would, in the folder and environment of this process unless given."""
        self.returncode: int | None = None
        self.stdin: IO[str] | None = None
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        self._news, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = dict(os.environ if env is None else env)
        request = Request(list(arguments), environment, str(cwd or Path.cwd()), start_new_session)
        with ExitStack() as given, theirs:
            descriptors = []
            streams = (("stdin", stdin, "w"), ("stdout", stdout, "r"), ("stderr", stderr, "r"))
            for number, (name, stream, mode) in enumerate(streams):
                descriptor, ours = _end_for_child(given, number, stream)
                descriptors.append(descriptor)
                if ours is not None:
                    setattr(self, name, os.fdopen(ours, mode, encoding="utf-8"))
            with _lock:
                message = json.dumps(asdict(request)).encode()
                socket.send_fds(_server(os.getpid()), [message], [*descriptors, theirs.fileno()])
        kind, number = self._read_news()
        assert kind != ENDED, f"the process ended with {number} before it ran {request.arguments[:2]}"
        self.pid: int = number

    def poll(self) -> int | None:
        """The exit code, minus the signal's number where one ended it; None while it runs."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises: subprocess.TimeoutExpired."""
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Close its input, and wait for its end and all that it says. Raises: subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if self.stdin is not None:
            with suppress(BrokenPipeError):
                self.stdin.close()
        readers = [_Reader(stream) for stream in (self.stdout, self.stderr)]
        for reader in readers:
            reader.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        out, err = (reader.text for reader in readers)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _ended_within(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._news], [], [], timeout)[0]:
            _, self.returncode = self._read_news()
            self._news.close()
        return self.returncode

    def _read_news(self) -> tuple[bytes, int]:
        news = self._news.recv(NEWS.size)
        assert news, "the fork server ended, and with it all that it had forked: it was killed, or says why"
        kind, number = NEWS.unpack(news)
        return kind, number


class _Reader(threading.Thread):
    """Reads a stream to its end."""

    def __init__(self, stream: IO[str] | None) -> None:
        super().__init__(daemon=True)
        self.text = ""
        self._stream = stream
        self.start()

    def run(self) -> None:
        if self._stream is not None:
            self.text = self._stream.read()
            self._stream.close()


def _end_for_child(given: ExitStack, number: int, stream: Stream) -> tuple[int, int | None]:
    """The descriptor that the child gets as `number`, closed here with `given`, and the other end of a pipe."""
    if stream is None:
        return number, None
    if stream == PIPE:
        reading, writing = os.pipe()
        theirs, ours = (writing, reading) if number else (reading, writing)
        given.callback(os.close, theirs)
        return theirs, ours
    if stream == DEVNULL:
        theirs = os.open(os.devnull, os.O_RDWR)
        given.callback(os.close, theirs)
        return theirs, None
    assert not isinstance(stream, int)
    return stream.fileno(), None


@cache
def _server(process_id: int) -> socket.socket:
    """The server of this process, which ends with it; a forked child starts its own."""
    assert process_id == os.getpid()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return ours
