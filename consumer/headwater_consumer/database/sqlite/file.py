"""The adapter for one SQLite file."""

import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from headwater_runtime.closing import closed_on_failure
from headwater_runtime.files import DISK_FULL, link_to_new
from headwater_runtime.shared_databases import DatabaseAccess, open_database
from headwater_runtime.shared_files import create_empty
from headwater_schemas.errors import StoreError, StoreFull, StoreMissing, StoreNotOurs, StoreReadOnly, StoreUnavailable

from headwater_consumer.database.connection import SQLITE, Connection, driver_connection
from headwater_consumer.database.port import PROJECTION, DataRefused, Holding, TableMissing, TookTooLong
from headwater_consumer.database.row_mapping import create_tables
from headwater_consumer.database.sqlite.bulk import SqliteBulk
from headwater_consumer.rows import LogPositionRow

BUSY_TIMEOUT_S = 60.0  # how long a transaction waits for another process's
CACHE_KIB = 65_536
STEPS_BETWEEN_CHECKS = 1000  # of its virtual machine: well under a millisecond
_TABLE_NAMES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
_ABOUT_DATA = (sqlite3.DataError, sqlite3.IntegrityError)  # errors that repeat with the same data


class SqliteFile(SqliteBulk):
    """A `DatabaseAdapter` for one file."""

    begin_writing = begin_durably = "BEGIN IMMEDIATE"
    begin_reading = "BEGIN"
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    idle_s: float | None = None
    walks_nearest_first = True
    clock_us = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"

    def __init__(self, file: Path, *, read_only: bool, holding: Holding = PROJECTION) -> None:
        self.name = self.location = str(file)
        self._holding = holding
        self._open: Callable[[], sqlite3.Connection] = partial(_open, file, read_only=read_only)
        # A file that is read without locks is opened anew for each query: it may have been written meanwhile.
        self._keeps_connections = not read_only

    def missing(self) -> StoreUnavailable:
        """See `DatabaseAdapter`."""
        return StoreUnavailable(
            f"there is no projection at {self.name}. Run `headwater replay` to build it from the log."
        )

    def connect(self) -> Connection:
        """A new connection."""
        return Connection(self._open(), SQLITE)

    def limit_time(self, connection: Connection, seconds: float | None) -> None:
        """See `DatabaseAdapter`."""
        deadline = None if seconds is None else time.monotonic() + seconds
        check = None if deadline is None else lambda: time.monotonic() >= deadline
        driver_connection(connection).set_progress_handler(check, STEPS_BETWEEN_CHECKS)

    def table_names(self, connection: Connection) -> list[str]:
        """See `DatabaseAdapter`."""
        return [name for (name,) in connection.driver.execute(_TABLE_NAMES)]

    def is_reusable(self, connection: Connection) -> bool:  # noqa: ARG002 - a file does not hang up
        """Whether an idle connection can be used again."""
        return self._keeps_connections

    def serialize_creation(self, connection: Connection) -> None:
        """Nothing to do: there is one writer at a time."""

    def lock_cursors(self, connection: Connection, partitions: Sequence[int]) -> list[LogPositionRow]:
        """The cursors; one writer at a time needs no locks."""
        return self.load_rows(connection, LogPositionRow, [(partition,) for partition in partitions])

    def announce(self, connection: Connection, text: str) -> None:
        """Nobody hears of it: who waits projects."""

    def hear(self, connection: Connection, timeout_s: float) -> list[str] | None:  # noqa: ARG002
        """Nobody listens."""
        return None

    def to_store_error(self, error: BaseException) -> StoreError:
        """The driver's error as one of ours."""
        if isinstance(error, _ABOUT_DATA):
            return DataRefused(self.name, str(error))
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return TookTooLong(self.name)
        return _to_store_error(self.name, str(error), self._holding)


class SqliteMemory(SqliteFile):
    """A `DatabaseAdapter` for a database without content: each connection has its own, in memory."""

    def __init__(self, name: str) -> None:
        self.name = self.location = name
        self._holding = PROJECTION
        self._open = _open_in_memory
        self._keeps_connections = True

    def connect(self) -> Connection:
        """A new connection to a new database."""
        connection = SqliteFile.connect(self)
        create_tables(connection)
        return connection


def create_sqlite_file(file: Path, holding: Holding = PROJECTION) -> None:
    """Create `file` as an empty database with a write-ahead log, unless another process does so first.

    It is created beside `file` and then linked there: when two processes switch one file to a write-ahead log at once,
    SQLite refuses one of them without waiting.
    """
    new = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    try:
        create_empty(new)
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        if not link_to_new(new, file):
            create_empty(file)  # there are no hard links: SQLite fills it when it is opened
    except FileExistsError:
        pass
    except OSError as error:
        raise _cannot_create(file, error, holding) from error
    except sqlite3.Error as error:
        raise _to_store_error(file, str(error), holding) from error
    finally:
        with suppress(OSError):
            os.unlink(new)


def _open(file: Path, *, read_only: bool) -> sqlite3.Connection:
    return open_database(file, partial(_connected, file, read_only=read_only))


def _connected(file: Path, access: DatabaseAccess, *, read_only: bool) -> sqlite3.Connection:
    if read_only and access is DatabaseAccess.WRITING:
        access = DatabaseAccess.READING
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?{access.value}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
    )
    with closed_on_failure(connection):
        # The log is the truth and is durable; after a power cut this file is intact and at most some events behind.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if access is DatabaseAccess.WRITING:
            connection.execute("PRAGMA journal_mode = WAL")
        else:
            connection.execute("PRAGMA schema_version").fetchone()  # opens the journals, which may fail
    return connection


def _open_in_memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _cannot_create(file: Path, error: OSError, holding: Holding) -> StoreError:
    if error.errno in DISK_FULL:
        return _to_store_error(file, "disk is full", holding)
    return StoreReadOnly(
        f"{holding.noun} {file} cannot be created: {error.strerror}. Use a store that you may write to."
    )


def _to_store_error(name: str | Path, text: str, holding: Holding) -> StoreError:
    if "unable to open" in text and not os.path.exists(name):
        return StoreMissing.removed(str(name))
    if "not a database" in text:
        return StoreNotOurs(f"{name} is not a database. It was left as it is; use another file.")
    if "readonly" in text or "read-only" in text:
        return StoreReadOnly(f"{holding.noun} {name} cannot be written: {text}. Use a store that you may write to.")
    if "disk" in text and "full" in text:
        return StoreFull(f"the disk of {name} is full. Free some space; nothing that was recorded is lost.")
    if "locked" in text:
        return StoreUnavailable(
            f"{name} was busy for {BUSY_TIMEOUT_S:.0f} s. Look for a stuck process, then try again."
        )
    kind = TableMissing if text.startswith("no such table") else StoreUnavailable
    return kind(f"{holding.noun} {name} failed: {text}. {holding.mending}")
