"""Checks in a forked child."""

import os
from collections.abc import Callable


def in_a_fork(check: Callable[[], bool]) -> bool:
    """What `check` says in a forked child."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if check() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
