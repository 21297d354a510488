"""Captures what a run executes, as its setting says."""

import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from headwater_schemas import metadata
from headwater_schemas.events import Capture
from headwater_stores.config.settings import CAPTURE_ALL, CAPTURE_OFF

from headwater._run.capture.environment import read_environment
from headwater._run.capture.git import read_code

KEPT_S = 10.0  # a process that starts run after run asks git once in so many seconds

_last: tuple[float, Sequence[str], Capture | None] = (float("-inf"), (), None)
_last_environment: tuple[object, str] = (None, "")  # what it depends on, and its JSON
_LOGIN_VARIABLES = ("LOGNAME", "USER", "LNAME", "USERNAME")  # where `getpass` looks for the user


class Capturer:
    """Captures what runs that start now execute. Costs nothing before it is called."""

    def __init__(self, *, with_environment: bool) -> None:
        self._folders, self._command = code_folders(), tuple(sys.orig_argv)
        self._with_environment = with_environment

    @property
    def is_quick(self) -> bool:
        """Whether all of it is known from the run before."""
        is_known = not self._with_environment or _last_environment[0] == _depends_on(self._command)
        return is_known and _is_code_known(self._folders)

    def __call__(self) -> Capture | None:
        code = _code(self._folders)
        if not self._with_environment:
            return code
        return replace(code or Capture(), environment=_environment(self._command))


def capturer(setting: str) -> Capturer | None:
    """None where nothing is to be captured."""
    return None if setting == CAPTURE_OFF else Capturer(with_environment=setting == CAPTURE_ALL)


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
    if not _is_code_known(folders):
        _last = (time.monotonic(), folders, read_code(folders))
    return _last[2]


def _is_code_known(folders: Sequence[str]) -> bool:
    then_s, of_folders, _ = _last
    return of_folders == folders and time.monotonic() - then_s <= KEPT_S


def _environment(command: Sequence[str]) -> str:
    global _last_environment
    depends_on = _depends_on(command)
    known, text = _last_environment
    if known != depends_on:
        text = metadata.encode(read_environment(command), "environment")
        _last_environment = (depends_on, text)
    return text


def _depends_on(command: Sequence[str]) -> object:
    """What an environment is different with."""
    user = (os.getuid(), *map(os.environ.get, _LOGIN_VARIABLES))
    return command, socket.gethostname(), user, tuple(sys.modules)
