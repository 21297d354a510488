"""SQLite files that several users share: a reader leaves nothing behind that keeps others out.

SQLite gives its journals, `-wal` and `-shm`, the mode of the database. A reader who may not write the database, but may
make files in its folder, would make journals that the owner cannot write: `access_of` says how it reads without.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TypeVar

from headwater_runtime.retries import Backoff
from headwater_runtime.shared_files import denied, follow_folder

JOURNALS = ("-wal", "-shm")
JOURNALS_BACKOFF = Backoff(pause_s_min=0.002, pause_s_max=0.05, growth=1.5, total_s_max=2.0)

T = TypeVar("T")


class DatabaseAccess(Enum):
    """How this process can open an SQLite file, as parameters of its URI."""

    WRITING = "mode=rw"
    # For who could write, and shall not.
    READING = "mode=ro"
    # Locks need the journals that writers left, and these are there; nothing is added to them.
    WITH_LOCKS = "mode=ro&readonly_shm=1"
    # Nobody is writing, as there are no journals, and none are made.
    WITHOUT_LOCKS = "mode=ro&immutable=1"


def access_of(database: Path) -> DatabaseAccess:
    """How this process can open the SQLite file, which exists, without keeping anybody out."""
    if all(denied(path, os.W_OK) is None for path in (database.parent, *files_of(database))):
        return DatabaseAccess.WRITING
    return DatabaseAccess.WITH_LOCKS if os.path.exists(f"{database}-wal") else DatabaseAccess.WITHOUT_LOCKS


def open_database(database: Path, opened: Callable[[DatabaseAccess], T]) -> T:
    """What `opened` makes of the file with the access that this process has. Raises: what `opened` raises.

    Again for a moment where it fails because a writer is making or removing the journals.
    """
    retries = JOURNALS_BACKOFF.start()
    while True:
        access = access_of(database)
        try:
            result = opened(access)
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if access is not DatabaseAccess.WITH_LOCKS or code != sqlite3.SQLITE_CANTOPEN or not retries.pause():
                raise
        else:
            if access is DatabaseAccess.WITH_LOCKS:
                _share_journals(database)
            return result


def files_of(database: Path) -> list[Path]:
    """The SQLite file, and the journals that it has now."""
    journals = (database.with_name(database.name + suffix) for suffix in JOURNALS)
    return [database, *(journal for journal in journals if journal.exists())]


def _share_journals(database: Path) -> None:
    """Let others write a journal that belongs to this process's user.

    A reader makes one after all when the last writer removes it in the moment between looking and opening.
    """
    for journal in files_of(database)[1:]:
        with suppress(OSError):
            follow_folder(journal, database.parent)
