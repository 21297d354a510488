"""What happens at the end of this process, and the exit code of one that could not log everything."""

import atexit
import os
import sys
from collections.abc import Callable

FIRST = 100  # a priority in a process of `multiprocessing`: before its own clean-up, as `atexit` would be
LAST = -1_000_000  # after every other clean-up


def call_at_exit(action: Callable[[], None]) -> None:
    """Call `action` when this process ends, before what was registered earlier.

    A process of `multiprocessing` ends without running `atexit`, but runs its own finalizers.
    """
    if _is_child_of_multiprocessing():
        from multiprocessing import util

        util.Finalize(None, action, exitpriority=FIRST)
    else:
        atexit.register(action)


def last_uncaught() -> BaseException | None:
    """The last error that nobody caught, of the program or at an interactive prompt."""
    error = getattr(sys, "last_value", None)
    return error if isinstance(error, BaseException) else None


def exit_with_error() -> None:
    """Let this process, which is ending, end with exit code 1, after all other exit handlers, with its output flushed.

    A handler cannot set the exit code, and those that were registered before it run after it.
    """
    if _is_child_of_multiprocessing():
        from multiprocessing import util

        util.Finalize(None, _raise_exit, exitpriority=LAST)
    else:
        sys.headwater_exit = _LastObject()  # type: ignore[attr-defined]


def _is_child_of_multiprocessing() -> bool:
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
