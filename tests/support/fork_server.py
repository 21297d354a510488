"""A process that has imported everything, and forks one that runs Python code for each request of `forked`.

Starting an interpreter that imports headwater and its libraries costs most of a second; forking one costs a few
milliseconds. The server has a single thread and opens nothing, so that its children begin as a fresh interpreter does.

`python -m tests.support.fork_server FD`: requests come over the socket with that number.
"""

import atexit
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from bench.child import import_everything

REQUEST_BYTES_MAX = 1 << 20
DESCRIPTORS = 4  # of a request: standard input, output and error, and a socket for news of the process
NEWS = struct.Struct("<ci")  # b"P" and the process id from the child; b"E" and its exit code from the server
STARTED, ENDED = b"P", b"E"


@dataclass(frozen=True)
class Request:
    """What to run, as `python ARGUMENTS` would."""

    arguments: list[str]  # ["FILE", …], ["-m", "MODULE", …] or ["-c", "CODE", …]
    environment: dict[str, str]
    folder: str
    new_session: bool


def serve(requests: socket.socket) -> Request | None:
    """Fork for each request. Returns the request in the child that shall run it, and None in the server at the end."""
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        for pid in [pid for pid in children if _has_ended(pid, children[pid])]:
            del children[pid]
        if requests not in ready:
            continue
        text, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES_MAX, DESCRIPTORS)
        if not text:  # the test process has ended
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            return None
        news = socket.socket(fileno=descriptors.pop())
        pid = os.fork()
        if pid:
            children[pid] = news
            for descriptor in descriptors:
                os.close(descriptor)
            continue
        signal.set_wakeup_fd(-1)
        for other in (woken, wake, requests.detach(), *(one.detach() for one in children.values())):
            os.close(other)
        request = Request(**json.loads(text))
        _become(request, descriptors)
        with news:
            news.send(NEWS.pack(STARTED, os.getpid()))
        return request


def _has_ended(pid: int, news: socket.socket) -> bool:
    found, status = os.waitpid(pid, os.WNOHANG)
    if found:
        with news, suppress(BrokenPipeError, ConnectionResetError):  # nobody waits for it
            news.send(NEWS.pack(ENDED, os.waitstatus_to_exitcode(status)))
    return bool(found)


def _become(request: Request, descriptors: list[int]) -> None:
    """Be what a fresh interpreter is before it runs its first line."""
    if request.new_session:
        os.setsid()
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request.environment)
    extra = request.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [folder for folder in extra if folder and folder not in sys.path[1:]]
    os.chdir(request.folder)
    at_once = bool(request.environment.get("PYTHONUNBUFFERED"))
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = _writer(1, line_buffering=os.isatty(1), write_through=at_once)
    sys.stderr = _writer(2, line_buffering=True, errors="backslashreplace")


def _writer(descriptor: int, **options: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)), encoding="utf-8", **options)


def run(arguments: list[str]) -> None:
    """Run a file, a module or code as `__main__`."""
    kind, *rest = arguments
    if kind == "-m":
        name, *sys.argv[1:] = rest
        sys.path[0] = os.getcwd()
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = ModuleType("__main__")
    if kind == "-c":
        code, *sys.argv[1:] = rest
        sys.argv[0], sys.path[0] = "-c", ""
        exec(compile(code, "<string>", "exec"), vars(main))
        return
    sys.argv, sys.path[0] = [kind, *rest], os.path.dirname(os.path.realpath(kind))
    main.__file__ = kind
    with io.open_code(kind) as file:
        exec(compile(file.read(), kind, "exec"), vars(main))


class FastEnd:
    """Ends a child as soon as it has done what ending processes do.

    The interpreter would then take apart every module that was imported here, for a fifth of a second.
    """

    def __init__(self) -> None:
        """Before anything else is registered that is called at the end: this is called last."""
        self._code: int | None = None
        atexit.register(self._end)

    def run(self, arguments: list[str]) -> None:
        """As `run`, and note with which code the process will end. One that ends by Ctrl-C ends as it always does."""
        self._code = 1  # of an error
        try:
            run(arguments)
        except SystemExit as ending:
            self._code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
            raise
        except KeyboardInterrupt:
            self._code = None
            raise
        self._code = 0

    def _end(self) -> None:
        # Where headwater gave the process another exit code, by what the interpreter drops last, that is to be seen.
        if self._code is not None and not hasattr(sys, "headwater_exit"):
            script = vars(sys.modules["__main__"])
            if script is not globals():
                script.clear()  # with the files that it left open
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(self._code & 0xFF)


def main() -> None:
    fast_end = FastEnd()
    control = socket.socket(fileno=int(sys.argv[1]))
    import_everything("headwater_server")
    gc.collect()
    gc.freeze()  # so that no collection in a child copies these pages
    request = serve(control)
    if request is not None:
        fast_end.run(request.arguments)


if __name__ == "__main__":
    main()
