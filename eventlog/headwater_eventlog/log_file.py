"""The file of the embedded log: making it, opening it, letting go of it, and its errors in our words.

What is always true:

- `log.db` appears under its name complete (made beside it, then renamed), so half a log is never seen, and its
  generation is made once;
- it is only ever opened through SQLite: closing any other descriptor of the file would drop this process's locks on it;
- a connection belongs to one process and serves one thread at a time (see `headwater_runtime.pools`).

`log.lock` beside it orders who waits (see `headwater_runtime.fair_lock`) and may be deleted at any time.
"""

import errno
import os
import sqlite3
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from headwater_runtime.fair_lock import HOLDER, fair_lock
from headwater_runtime.files import make_folders, move_into_place
from headwater_runtime.pools import no_fork
from headwater_schemas.errors import FormatTooNew, StoreError, StoreNotOurs, StoreReadOnly, StoreUnavailable

LOG_FILE = "log.db"
LOCK_FILE = "log.lock"
FORMAT = 1
APPLICATION = "headwater-eventlog"
APPLICATION_ID = 0x48574C47  # "HWLG", at byte 68 of the file: SQLite's place for whose it is
PARTITIONS = 1

OPEN_WAIT_S = 30.0  # for another process that is making the log or recovering it after a crash
CLOSE_WAIT_S = 1.0  # for others that close at the same moment; after it, some later close tidies up

_CREATE = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE records (offset INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, key TEXT NOT NULL,"
    " headers BLOB NOT NULL, payload BLOB NOT NULL)",
)
_META = "SELECT name, value FROM meta"

_WRITABLE, _LOCKED, _FROZEN = "mode=rw", "mode=ro", "mode=ro&immutable=1"
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)

_ELSEWHERE = "It was left as it is. Use another folder (HEADWATER_URL)."
RESTORE = "Restore it from a copy; leave the damaged file aside, records may be recovered from it."
GET_ACCESS = "Get write access to it, or use another store (HEADWATER_URL)."

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class LogConnection:
    """A connection to one file, which is known by more than its name: the name may come to mean another file."""

    path: Path
    mode: str
    identity: tuple[int, ...]
    database: sqlite3.Connection
    generation: str

    @classmethod
    def open(cls, path: Path, *, read_only: bool) -> "LogConnection":
        """Raises: StoreUnavailable, StoreNotOurs, FormatTooNew."""
        try:
            mode = _mode(path)
            identity = _identity(path, mode)
        except OSError as error:
            raise _os_failure(error, path.parent) from error
        database = _connect(path, mode)
        try:
            prepare = partial(_prepare, database, path, writing=mode == _WRITABLE and not read_only)
            return cls(path, mode, identity, database, patiently(prepare, time.monotonic() + OPEN_WAIT_S))
        except BaseException as error:
            database.close()
            if isinstance(error, sqlite3.Error):
                fail(error, path, "it could not be opened")
            raise

    @property
    def is_writable(self) -> bool:
        return self.mode == _WRITABLE

    @property
    def has_locks(self) -> bool:
        """Whether what is read is of one moment, whatever others do."""
        return self.mode != _FROZEN

    def is_current(self) -> bool:
        """Whether the name still means this file, and nobody wrote to it where we read without locks."""
        try:
            return (self.is_writable or self.mode == _mode(self.path)) and (
                self.identity == _identity(self.path, self.mode)
            )
        except OSError:
            return False

    def close(self) -> None:
        """In turn with other processes: of two that close at once, neither would be the last, who tidies up."""
        if not self.is_writable:
            self.database.close()
            return
        with fair_lock(str(self.path.with_name(LOCK_FILE)), time.monotonic() + CLOSE_WAIT_S):
            self.database.close()


def exists(path: Path) -> bool:
    """Whether there is a log. An empty file is none: it is what SQLite's own tools leave after looking for one."""
    try:
        return os.stat(path).st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _os_failure(error, path.parent) from error


def _mode(path: Path) -> str:
    """How the log can be opened here.

    Readers of a write-ahead log write too (their locks). Where the folder cannot be written, that works with what
    writers left; where they left nothing the file stands still, and is read without locks.
    """
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        return _WRITABLE
    return _LOCKED if os.path.exists(f"{path}-wal") else _FROZEN


def _identity(path: Path, mode: str) -> tuple[int, ...]:
    found = os.stat(path)
    if mode == _FROZEN:
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return found.st_dev, found.st_ino


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """SQLite's waiting is switched off: ours is fair and bounded. Raises: StoreUnavailable."""
    try:
        return sqlite3.connect(
            f"{path.as_uri()}?{mode}", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        fail(error, path, "it could not be opened")


def _prepare(database: sqlite3.Connection, path: Path, *, writing: bool) -> str:
    """Make it durable, or unable to write; the log's generation."""
    generation = _generation(database, path)
    if writing:
        database.execute("PRAGMA journal_mode = WAL").fetchall()  # is so already, unless somebody's tool changed it
        database.execute("PRAGMA synchronous = FULL")
    else:
        database.execute("PRAGMA query_only = ON")
    return generation


def _generation(database: sqlite3.Connection, path: Path) -> str:
    """Checks first that this release may read the rest. Raises: FormatTooNew, StoreNotOurs, StoreUnavailable."""
    try:
        meta: dict[str, str] = dict(database.execute(_META).fetchall())
        found = int(meta["format"])
        if found > FORMAT:
            raise FormatTooNew(
                f"the log {path} has format {found}; this headwater reads up to {FORMAT}. "
                "Upgrade headwater, or use another store (HEADWATER_URL). Nothing was changed."
            )
        if meta["application"] != APPLICATION:
            raise StoreNotOurs(f"{path} belongs to {meta['application']!r}, not to headwater's event log. {_ELSEWHERE}")
        return meta["generation"]
    except (KeyError, ValueError) as error:
        raise StoreUnavailable(f"{path} is damaged: its table `meta` lacks {error}. {RESTORE}") from None


def refuse_what_is_not_ours(path: Path) -> None:
    """Look at whose file it is without locking it or writing anything, not even beside it.

    Raises: StoreNotOurs, StoreUnavailable.
    """
    if not os.path.isfile(path):
        raise StoreNotOurs(f"{path} is not a file, but headwater keeps its event log under that name. {_ELSEWHERE}")
    with closing(_connect(path, _FROZEN)) as database:
        try:
            (found,) = database.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            code = primary_code(error)
            if code == sqlite3.SQLITE_NOTADB:
                raise StoreNotOurs(f"{path} is not an SQLite file, so not an event log. {_ELSEWHERE}") from None
            if code == sqlite3.SQLITE_CORRUPT:
                return  # or half written by somebody at this moment: only opening it with locks can tell
            fail(error, path, "it could not be opened")
    if found != APPLICATION_ID:
        raise StoreNotOurs(f"{path} is an SQLite file of another application (id {found}). {_ELSEWHERE}")


def make(path: Path) -> None:
    """Make an empty log, unless another process just did. Raises: StoreUnavailable, StoreReadOnly, StoreNotOurs."""
    folder = path.parent
    try:
        make_folders(folder)
        with no_fork(), _turn_to_make(folder) as held:
            if exists(path):
                return
            if not held:
                raise StoreUnavailable(
                    f"{folder / LOCK_FILE} is held by another process, which makes a log. Try again."
                )
            _make_alone(path)
    except sqlite3.Error as error:
        fail(error, path, "no log was made")
    except OSError as error:
        raise _os_failure(error, folder) from error


def _turn_to_make(folder: Path) -> AbstractContextManager[bool]:
    lock = folder / LOCK_FILE
    lock.touch()  # tells what is wrong where this is not possible
    return fair_lock(str(lock), time.monotonic() + OPEN_WAIT_S)


def _make_alone(path: Path) -> None:
    if os.path.exists(f"{path}-wal"):
        raise StoreUnavailable(
            f"{path} is gone, but {path.name}-wal beside it still has records. "
            f"Put {path.name} back, or move the rest away."
        )
    new = path.with_name(f"{path.name}.new")
    for left_by_a_crash in (new, f"{new}-journal", f"{new}-wal", f"{new}-shm"):
        with suppress(FileNotFoundError):
            os.unlink(left_by_a_crash)
    with closing(sqlite3.connect(new, isolation_level=None)) as database:
        _fill(database)
    move_into_place(new, path)


def _fill(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in _CREATE:
        database.execute(statement)
    meta = {"application": APPLICATION, "format": FORMAT, "generation": uuid.uuid4().hex, "partitions": PARTITIONS}
    database.executemany("INSERT INTO meta VALUES (?, ?)", [(name, str(value)) for name, value in meta.items()])
    database.execute("PRAGMA journal_mode = WAL").fetchall()


def patiently(action: Callable[[], T], deadline: float) -> T:
    """`action`, tried again while other processes are in the way. Raises: what `action` raises."""
    retries = HOLDER.start(deadline=deadline)
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or not retries.pause():
                raise


def fail(error: sqlite3.Error, path: Path, outcome: str) -> NoReturn:
    """Raise what SQLite says in our words; `outcome` is what the caller can rely on."""
    code = primary_code(error)
    failure: StoreError
    if code is None:
        raise error  # a mistake in this module
    if code == sqlite3.SQLITE_FULL or error.sqlite_errorcode == sqlite3.SQLITE_IOERR_SHMSIZE:
        failure = _full(path.parent, outcome)
    elif code in _BUSY:
        failure = StoreUnavailable(f"another process kept {path} locked: {outcome}. Try again, or end that process.")
    elif code == sqlite3.SQLITE_READONLY:
        failure = StoreReadOnly(f"{path} cannot be written: {outcome}. {GET_ACCESS}")
    elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        failure = StoreUnavailable(f"{path} is damaged ({words(error)}): {outcome}. {RESTORE}")
    else:
        failure = StoreUnavailable(
            f"{path} does not work ({words(error)}): {outcome}. Check the disk and the permissions."
        )
    raise failure from error


def _os_failure(error: OSError, folder: Path) -> StoreError:
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreReadOnly(f"{folder} cannot be written, and there is no event log in it yet. {GET_ACCESS}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(folder, "no log was made")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return StoreNotOurs(f"{folder} is not a folder, so no event log can be in it. {_ELSEWHERE}")
    if error.errno == errno.ENOENT:
        return StoreUnavailable(f"{folder / LOG_FILE} is not there any more. Put it back, or open the log again.")
    return StoreUnavailable(f"the event log in {folder} does not work: {error.strerror}. Check the disk.")


def _full(folder: Path, outcome: str) -> StoreUnavailable:
    return StoreUnavailable(f"the disk of {folder} is full: {outcome}. Make room, then try again.")


def is_busy(error: sqlite3.Error) -> bool:
    return primary_code(error) in _BUSY


def primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's result code without its details; None where the error is not SQLite's but the module's."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def words(error: sqlite3.Error) -> str:
    return f"{error}, {getattr(error, 'sqlite_errorname', 'no code')}"
