"""The exit code of a process that could not log everything."""

import os
import sys

LAST = -1_000_000  # a priority: after every other clean-up of a process of `multiprocessing`


def exit_with_error() -> None:
    """Let this process, which is ending, end with exit code 1, after all other exit handlers, with its output flushed.

    A handler cannot set the exit code, and those that were registered before it run after it.
    """
    if is_child_of_multiprocessing():
        from multiprocessing import util

        util.Finalize(None, _raise_exit, exitpriority=LAST)
    else:
        sys._headwater_exit = _LastObject()  # type: ignore[attr-defined]


def is_child_of_multiprocessing() -> bool:
    """Whether this process ends without running `atexit`: one of `multiprocessing` runs its own finalizers."""
    if "multiprocessing.process" not in sys.modules:
        return False
    from multiprocessing import parent_process

    return parent_process() is not None


def _raise_exit() -> None:
    error = sys.exc_info()[1]
    if error is None or isinstance(error, SystemExit):  # another error is reported, and ends the process with 1
        raise SystemExit(1)


class _LastObject:
    """An attribute of `sys`, which the interpreter clears last: nothing of the program is left to run or to flush."""

    def __init__(self) -> None:
        # Modules are cleared by then, so it has everything that it needs.
        self._exit, self._streams = os._exit, [stream for stream in (sys.stdout, sys.stderr) if stream is not None]

    def __del__(self) -> None:
        for stream in self._streams:
            try:
                stream.flush()
            except (OSError, ValueError):  # closed: nobody reads it
                continue
        self._exit(1)
