"""The file of the embedded log: creating, opening and closing it, and translating its errors.

Invariants:

- `log.db` is created under another name and renamed when it is complete, so that no process sees half a log, and it has
  one generation;
- it is only opened by SQLite: closing any other descriptor of the file would release this process's locks on it;
- a connection belongs to one process and serves one thread at a time (see `headwater_runtime.pools`).

`log.lock` beside it orders waiting processes (see `headwater_runtime.fair_lock`) and may be deleted at any time.
"""

import errno
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from headwater_runtime.closing import closed_on_failure
from headwater_runtime.fair_lock import HOLDER, fair_lock
from headwater_runtime.files import DISK_FULL, make_folders, move_into_place
from headwater_runtime.pools import no_fork
from headwater_runtime.retries import Retries
from headwater_runtime.shared_databases import DatabaseAccess, access_of, open_database
from headwater_runtime.shared_files import create_empty
from headwater_schemas.errors import (
    FormatTooNew,
    StoreError,
    StoreFull,
    StoreMissing,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
)

from headwater_eventlog.port import LogIdentity

LOG_FILE = "log.db"
LOCK_FILE = "log.lock"
FORMAT = 1
APPLICATION = "headwater-eventlog"
APPLICATION_ID = 0x48574C47  # "HWLG", at byte 68 of the file, where SQLite stores the id of the application
PARTITIONS = 1

OPEN_WAIT_S = 30.0  # for another process that is creating the log or recovering it after a crash
CLOSE_WAIT_S = 1.0  # for others that close at the same moment; after that, a later close removes the write-ahead log

_CREATE = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE records (offset INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, key TEXT NOT NULL,"
    " headers BLOB NOT NULL, payload BLOB NOT NULL)",
)
_META = "SELECT name, value FROM meta"

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)

_USE_ANOTHER = "Nothing was changed. Use another folder (HEADWATER_URL)."
RESTORE = "Restore it from a copy, and keep the damaged file: records may be recovered from it."
GET_ACCESS = "Get write access to it, or use another store (HEADWATER_URL)."

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class LogConnection:
    """A connection to one file, identified by more than its path: another file may replace it."""

    path: Path
    access: DatabaseAccess
    identity_of_file: tuple[int, ...]
    database: sqlite3.Connection
    log: LogIdentity

    @classmethod
    def open(cls, path: Path, *, read_only: bool) -> "LogConnection":
        """Raises: StoreUnavailable, StoreNotOurs, FormatTooNew."""
        try:
            return open_database(path, lambda access: cls._opened(path, access, read_only=read_only))
        except OSError as error:
            raise os_failure(error, path.parent) from error
        except sqlite3.Error as error:
            raise to_store_error(error, path, "it could not be opened") from error

    @classmethod
    def _opened(cls, path: Path, access: DatabaseAccess, *, read_only: bool) -> "LogConnection":
        identity = _identity(path, access)
        database = _connect(path, access)
        with closed_on_failure(database):
            writing = access is DatabaseAccess.WRITING and not read_only
            prepare = partial(_prepare, database, path, writing=writing)
            return cls(path, access, identity, database, retry_while_busy(prepare, time.monotonic() + OPEN_WAIT_S))

    @property
    def is_writable(self) -> bool:
        return self.access is DatabaseAccess.WRITING

    @property
    def has_locks(self) -> bool:
        """Whether reads are consistent while other processes write."""
        return self.access is not DatabaseAccess.WITHOUT_LOCKS

    def is_current(self) -> bool:
        """Whether the path still is this file, and no process wrote to it where it is read without locks."""
        try:
            return (self.is_writable or self.access is access_of(self.path)) and (
                self.identity_of_file == _identity(self.path, self.access)
            )
        except OSError:
            return False

    def close(self) -> None:
        """One process at a time: of two that close at once, neither would be the last one, which cleans up."""
        if not self.is_writable:
            self.database.close()
            return
        with fair_lock(str(self.path.with_name(LOCK_FILE)), time.monotonic() + CLOSE_WAIT_S):
            self.database.close()


def exists(path: Path) -> bool:
    """Whether there is a log. An empty file is none: SQLite's own tools create one when they look for a log."""
    try:
        return os.stat(path).st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise os_failure(error, path.parent) from error


def _identity(path: Path, access: DatabaseAccess) -> tuple[int, ...]:
    found = os.stat(path)
    if access is DatabaseAccess.WITHOUT_LOCKS:
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return found.st_dev, found.st_ino


def _connect(path: Path, access: DatabaseAccess) -> sqlite3.Connection:
    """Connect without SQLite's own waiting: that of `retry_while_busy` is fair. Raises: StoreUnavailable."""
    try:
        return sqlite3.connect(
            f"{path.as_uri()}?{access.value}", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise to_store_error(error, path, "it could not be opened") from error


def _prepare(database: sqlite3.Connection, path: Path, *, writing: bool) -> LogIdentity:
    """Make writes durable, or forbid them; returns the log's identity."""
    found = _identity_in(database, path)
    if writing:
        database.execute(
            "PRAGMA journal_mode = WAL"
        ).fetchall()  # the default of a log, which another tool may have changed
        database.execute("PRAGMA synchronous = FULL")
    else:
        database.execute("PRAGMA query_only = ON")
    return found


def _identity_in(database: sqlite3.Connection, path: Path) -> LogIdentity:
    """The log's identity, after checking its format. Raises: FormatTooNew, StoreNotOurs, StoreUnavailable."""
    try:
        meta: dict[str, str] = dict(database.execute(_META).fetchall())
        found = int(meta["format"])
        if found > FORMAT:
            raise FormatTooNew(
                f"the log {path} has format {found}; this headwater reads up to {FORMAT}. "
                "Upgrade headwater, or use another store (HEADWATER_URL). Nothing was changed."
            )
        if meta["application"] != APPLICATION:
            raise StoreNotOurs(
                f"{path} belongs to {meta['application']!r}, not to headwater's event log. {_USE_ANOTHER}"
            )
        return LogIdentity(meta["generation"], PARTITIONS, tuple(filter(None, meta["ancestors"].split(","))))
    except (KeyError, ValueError) as error:
        raise StoreUnavailable(f"{path} is damaged: its table `meta` lacks {error}. {RESTORE}") from None


def check_application(path: Path) -> None:
    """Check that the file is an event log, without locking it or writing anything, not even beside it.

    Raises: StoreNotOurs, StoreUnavailable.
    """
    if not os.path.isfile(path):
        raise StoreNotOurs(f"{path} is not a file, but headwater stores its event log under that name. {_USE_ANOTHER}")
    with closing(_connect(path, DatabaseAccess.WITHOUT_LOCKS)) as database:
        try:
            (found,) = database.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            code = primary_code(error)
            if code == sqlite3.SQLITE_NOTADB:
                raise StoreNotOurs(f"{path} is not an SQLite file, so not an event log. {_USE_ANOTHER}") from None
            if code == sqlite3.SQLITE_CORRUPT:
                return  # or a write is in progress: only opening it with locks can tell
            raise to_store_error(error, path, "it could not be opened") from error
    if found != APPLICATION_ID:
        raise StoreNotOurs(f"{path} is an SQLite file of another application (id {found}). {_USE_ANOTHER}")


def create_log(path: Path, ancestors: Sequence[str] = ()) -> bool:
    """Create an empty log, unless another process just did (False).

    Raises: StoreUnavailable, StoreReadOnly, StoreNotOurs.
    """
    folder = path.parent
    try:
        make_folders(folder)
        with no_fork(), _creation_lock(folder) as held:
            if exists(path):
                return False
            if not held:
                raise StoreUnavailable(
                    f"{folder / LOCK_FILE} is held by another process, which is creating a log. Try again."
                )
            _create_exclusively(path, ancestors)
    except sqlite3.Error as error:
        raise to_store_error(error, path, "no log was created") from error
    except OSError as error:
        raise os_failure(error, folder) from error
    return True


def _creation_lock(folder: Path) -> AbstractContextManager[bool]:
    lock = folder / LOCK_FILE
    if not lock.exists():
        create_empty(lock)  # raises an error that says why, where it cannot be created
    return fair_lock(str(lock), time.monotonic() + OPEN_WAIT_S)


def _create_exclusively(path: Path, ancestors: Sequence[str]) -> None:
    if os.path.exists(f"{path}-wal"):
        raise StoreUnavailable(
            f"{path} is missing, but {path.name}-wal beside it still has records. "
            f"Restore {path.name}, or move the other files away."
        )
    new = path.with_name(f"{path.name}.new")
    for leftover in (new, f"{new}-journal", f"{new}-wal", f"{new}-shm"):
        with suppress(FileNotFoundError):
            os.unlink(leftover)
    create_empty(new)
    with closing(sqlite3.connect(new, isolation_level=None)) as database:
        _fill(database, ancestors)
    move_into_place(new, path)


def _fill(database: sqlite3.Connection, ancestors: Sequence[str]) -> None:
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in _CREATE:
        database.execute(statement)
    meta = {
        "application": APPLICATION,
        "format": FORMAT,
        "generation": uuid.uuid4().hex,
        "partitions": PARTITIONS,
        "ancestors": ",".join(ancestors),
    }
    database.executemany("INSERT INTO meta VALUES (?, ?)", [(name, str(value)) for name, value in meta.items()])
    database.execute("PRAGMA journal_mode = WAL").fetchall()


def retry_while_busy(action: Callable[[], T], deadline: float) -> T:
    """Run `action`, again while another process has the file locked. Raises: what `action` raises."""
    retries: Retries | None = None
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            retries = retries or HOLDER.start(deadline=deadline)
            if not retries.pause():
                raise


def to_store_error(error: sqlite3.Error, path: Path, outcome: str) -> StoreError:
    """Our error for one of SQLite; `outcome` tells the caller what was done. Raises: `error` if it is a bug of ours."""
    code = primary_code(error)
    if code is None:
        raise error
    if code == sqlite3.SQLITE_FULL or error.sqlite_errorcode == sqlite3.SQLITE_IOERR_SHMSIZE:
        return _full(path.parent, outcome)
    if code in _BUSY:
        return StoreUnavailable(f"another process kept {path} locked: {outcome}. Try again, or end that process.")
    if code == sqlite3.SQLITE_READONLY:
        return StoreReadOnly(f"{path} cannot be written: {outcome}. {GET_ACCESS}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreUnavailable(f"{path} is damaged ({describe_error(error)}): {outcome}. {RESTORE}")
    return StoreUnavailable(f"{path} failed ({describe_error(error)}): {outcome}. Check the disk and the permissions.")


def os_failure(error: OSError, folder: Path) -> StoreError:
    """Our error for one of the operating system."""
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreReadOnly(f"{folder} cannot be written, and there is no event log in it yet. {GET_ACCESS}")
    if error.errno in DISK_FULL:
        return _full(folder, "no log was created")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return StoreNotOurs(f"{folder} is not a folder, so no event log can be in it. {_USE_ANOTHER}")
    if error.errno == errno.ENOENT:
        return StoreMissing.removed(str(folder / LOG_FILE))
    return StoreUnavailable(f"the event log in {folder} failed: {error.strerror}. Check the disk.")


def _full(folder: Path, outcome: str) -> StoreFull:
    return StoreFull(f"the disk of {folder} is full: {outcome}. Free some space, then try again.")


def is_busy(error: sqlite3.Error) -> bool:
    return primary_code(error) in _BUSY


def primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's result code without its details; None where the error comes from Python's module."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def describe_error(error: sqlite3.Error) -> str:
    return f"{error}, {getattr(error, 'sqlite_errorname', 'no code')}"
