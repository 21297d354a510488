"""How this process ends, as far as a run that is left open can see it: by an error, or by an exit code.

Python tells the functions that it calls at exit neither. It does keep the last error that nobody caught, and an exit
code is known to whoever asks for it: `sys.exit`, `exit` and `quit` are watched while a run is open. A `SystemExit` that
is raised by hand is not seen here, only by the `with` block of a run.
"""

import sys
import threading
import weakref
from _sitebuiltins import Quitter  # the type of `exit` and `quit`
from collections.abc import Callable
from functools import wraps
from inspect import currentframe
from typing import Any

from headwater_runtime import fork_hooks

from headwater._commit.process_exit import last_uncaught

_WATCHED: tuple[tuple[Any, str], ...] = ((sys, "exit"), (Quitter, "__call__"))


class ExitState:
    """Whether this process ends well, as seen from the moment when this was made until `close`."""

    def __init__(self) -> None:
        self._ends = [_End(None)]  # the beginning, and then the exits that were asked for
        _watch(self)

    @property
    def has_failed(self) -> bool:
        """Whether an uncaught error or an exit code other than 0 ends the process. Of several, the last one counts."""
        error = sys.exc_info()[1]  # a process of `multiprocessing` cleans up while its error is on its way
        if error is not None:
            return is_failure(error)
        last = next(end for end in reversed(self._ends) if not end.was_caught)
        error = last_uncaught()
        if error is not None and error is not last.uncaught_before:
            return is_failure(error)
        return not _is_success(last.code)

    def note(self, exit_error: SystemExit) -> None:
        """The process is asked to exit."""
        self._ends = [end for end in self._ends if not end.was_caught]
        self._ends.append(_End(exit_error))

    def close(self) -> None:
        """Watch no more."""
        _unwatch(self)


class _End:
    """An exit that was asked for, or None: the end of the program."""

    def __init__(self, error: SystemExit | None) -> None:
        self.code = None if error is None else error.code
        self.uncaught_before = last_uncaught()
        self.was_caught = False
        if error is not None:
            error.headwater_token = token = _Token()  # type: ignore[attr-defined]
            self._token = weakref.ref(token, self._lost)

    def _lost(self, _: object) -> None:
        """The error is gone. What ends the process is dropped by the interpreter, when no code runs any more."""
        frame = currentframe()
        self.was_caught = frame is not None and frame.f_back is not None


class _Token:
    """Is lost together with the error that has it; errors themselves cannot be watched."""


def is_failure(error: BaseException) -> bool:
    """Whether a process that this error ends has failed: not if it only exits, with code 0."""
    return not (isinstance(error, SystemExit) and _is_success(error.code))


def _is_success(code: object) -> bool:
    return code is None or (isinstance(code, int) and code == 0)


# --- watching ---------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_states: list[ExitState] = []
_replaced: list[tuple[Any, str, Any, Any]] = []  # while there are states: owner, name, the original, what replaces it


def _watch(state: ExitState) -> None:
    with _lock:
        _states.append(state)
        if not _replaced:
            for owner, name in (*_WATCHED, *_exits_of_the_program()):
                original = getattr(owner, name)
                _replaced.append((owner, name, original, _watched(original)))
                setattr(owner, name, _replaced[-1][-1])


def _exits_of_the_program() -> list[tuple[Any, str]]:
    """What the program has called `sys.exit` by, as after `from sys import exit`."""
    program = sys.modules.get("__main__")
    return [(program, name) for name, value in list(vars(program).items()) if value is sys.exit] if program else []


def _unwatch(state: ExitState) -> None:
    with _lock:
        if state in _states:
            _states.remove(state)
        while _replaced and not _states:
            owner, name, original, replacement = _replaced.pop()
            if getattr(owner, name, None) is replacement:  # else whoever replaced it restores it
                setattr(owner, name, original)


def _watched(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def exit_(*args: Any, **options: Any) -> Any:
        try:
            return original(*args, **options)
        except SystemExit as error:
            if threading.current_thread() is threading.main_thread():  # in another, it ends that thread alone
                for state in list(_states):
                    state.note(error)
            raise

    return exit_


def _new_lock() -> None:
    global _lock
    _lock = threading.Lock()


fork_hooks.register(in_child=_new_lock)
