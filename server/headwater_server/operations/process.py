"""The process in which a command runs, seen from the loop of the server: its streams, and how it is ended.

It is in a session of its own, so that Ctrl-C in the server's terminal is the server's alone to handle.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack

from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.operations import CONTENT, ERRORS, OUTPUT

from headwater_server.limits import OPERATION_PIECE_BYTES
from headwater_server.operations import child
from headwater_server.operations.commands import Command
from headwater_server.operations.pipes import Pipe

ENDED_LOOK_S = 0.02  # between two looks whether it has ended: once its streams have, it is about to

_PATH = "/dev/fd/{}"  # of a descriptor, to which a command writes the file that it makes


class CommandProcess:
    """A command that runs. For one event loop."""

    def __init__(self, command: Command, environment: Mapping[str, str]) -> None:
        """Start it: some milliseconds. Raises: OSError where the system has no room for it."""
        with ExitStack() as theirs, ExitStack() as ours:
            # Nothing is written to it. The process knows by its end that there is no server any more.
            lifeline, self._lifeline = _pipe(theirs, ours, child_reads=True)
            arguments, passed = command.arguments, [lifeline]
            self._input: Pipe | None = None
            stdin = subprocess.DEVNULL
            if command.takes_file:
                stdin, self._input = _pipe(theirs, ours, child_reads=True)
            stdout, output = _pipe(theirs, ours, child_reads=False)
            stderr, errors = _pipe(theirs, ours, child_reads=False)
            self._outputs = {OUTPUT: output, ERRORS: errors}
            if command.makes_file:
                to_server, self._outputs[CONTENT] = _pipe(theirs, ours, child_reads=False)
                passed.append(to_server)
                name, *options = arguments
                arguments = (name, f"--output={_PATH.format(to_server)}", *options)
            self._process = subprocess.Popen(  # noqa: S603 - a module of ours, and arguments that were checked
                # -P: of the folder in which the server runs nothing is imported.
                [sys.executable, "-P", "-m", child.__name__, str(lifeline), *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=dict(environment),
                pass_fds=passed,
                start_new_session=True,
            )
            ours.pop_all()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def kinds(self) -> tuple[bytes, ...]:
        """The kinds of frames that it writes."""
        return tuple(self._outputs)

    async def pieces(self, kind: bytes) -> AsyncIterator[bytes]:
        """What it writes of a kind, until it writes no more. While nobody takes a piece, it waits."""
        while piece := await self._outputs[kind].read(OPERATION_PIECE_BYTES):
            yield piece

    async def feed(self, pieces: AsyncIterator[bytes]) -> None:
        """Give it all of these on its standard input; what it does not want is left. Raises: as `pieces`."""
        assert self._input is not None
        try:
            async for piece in pieces:
                await self._input.write(piece)
        except BrokenPipeError:  # it has ended, and says why
            return
        self._input.close()  # only now: what is cut short must not look whole

    async def ended(self) -> int:
        """Its exit code, minus the signal's number where one ended it. Call it when it writes no more."""
        while (code := self._process.poll()) is None:
            await asyncio.sleep(ENDED_LOOK_S)
        return code

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> int | None:
        """Let go of it. Its exit code; None where it still ran, and is ended now."""
        code = self._process.poll()
        if code is None:
            self._process.kill()
            start_daemon(self._process.wait, "ended-command")
        for pipe in (*self._outputs.values(), self._input, self._lifeline):
            if pipe is not None:
                pipe.close()
        return code


def _pipe(theirs: ExitStack, ours: ExitStack, *, child_reads: bool) -> tuple[int, Pipe]:
    """The end that the child reads or writes, and the other one, which is this process's."""
    reading, writing = os.pipe()
    of_child, here = (reading, writing) if child_reads else (writing, reading)
    theirs.callback(os.close, of_child)
    pipe = Pipe(here)
    ours.callback(pipe.close)
    return of_child, pipe
