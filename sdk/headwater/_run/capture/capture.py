"""Captures what a run executes, as its setting says."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from headwater_schemas import metadata
from headwater_schemas.events import Capture

from headwater._config.settings import CAPTURE_ALL, CAPTURE_OFF
from headwater._run.capture.environment import read_environment
from headwater._run.capture.git import read_code

KEPT_S = 10.0  # a process that starts run after run asks git once in so many seconds

_last: tuple[float, Sequence[str], Capture | None] = (float("-inf"), (), None)


def capturer(setting: str) -> Callable[[], Capture | None] | None:
    """A function that captures what runs that start now execute; None where that is not wanted.

    Costs nothing before it is called.
    """
    if setting == CAPTURE_OFF:
        return None
    folders, command = code_folders(), tuple(sys.orig_argv)
    with_environment = setting == CAPTURE_ALL

    def capture() -> Capture | None:
        code = _code(folders)
        if not with_environment:
            return code
        return replace(code or Capture(), environment=metadata.encode(read_environment(command), "environment"))

    return capture


def code_folders() -> Sequence[str]:
    """Where the code may be: the folder of the program, then the current one."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        here = os.getcwd()
    except FileNotFoundError:  # it was removed
        return ()
    if not isinstance(program, str) or not os.path.exists(program):
        return (here,)
    return tuple(dict.fromkeys((os.path.dirname(os.path.abspath(program)), here)))


def _code(folders: Sequence[str]) -> Capture | None:
    global _last
    then_s, of_folders, code = _last
    if of_folders != folders or time.monotonic() - then_s > KEPT_S:
        code = read_code(folders)
        _last = (time.monotonic(), folders, code)
    return code
