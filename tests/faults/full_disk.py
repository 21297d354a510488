"""Run a script, or `headwater`, on a disk that takes no more: for where no small disk can be mounted.

`python -m tests.faults.full_disk FOLDER SCRIPT ARGUMENTS…`: below FOLDER no file grows any more; writing elsewhere
works. Only what this process does is refused, as a quota would.
"""

import errno
import os
import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from tests.faults.at_point import become


def main() -> None:
    """Refuse, and become the script."""
    folder, script, *arguments = sys.argv[1:]
    _refuse(os.path.realpath(folder) + os.sep)
    become(script, arguments)


def _refuse(folder: str) -> None:
    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(descriptor: int, *arguments: Any) -> Any:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith(folder):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(descriptor, *arguments)

        return wrapped

    for name in ("write", "writev", "posix_fallocate"):
        setattr(os, name, refusing(getattr(os, name)))
    connect: Any = sqlite3.connect

    def limited(database: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(database, *arguments, **options)
        if folder in str(database):
            connection.execute("PRAGMA max_page_count = 1")  # never under what it has, so that it can only be read
        return connection

    sqlite3.connect = limited


if __name__ == "__main__":
    main()
