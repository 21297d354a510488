"""The adapter for one SQLite file."""

import os
import sqlite3
import uuid
from contextlib import closing, suppress
from pathlib import Path

from headwater_schemas.errors import StoreError, StoreNotOurs, StoreReadOnly, StoreUnavailable
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from headwater_consumer.database.port import DataRefused
from headwater_consumer.database.sqlite.bulk import SqliteBulk

BUSY_TIMEOUT_S = 60.0  # how long a transaction waits for another process's
CACHE_KIB = 65_536
_ABOUT_DATA = (sqlite3.DataError, sqlite3.IntegrityError)  # errors that repeat with the same data


class SqliteFile(SqliteBulk):
    """A `DatabaseAdapter` for one file."""

    begin_writing = "BEGIN IMMEDIATE"
    begin_reading = "BEGIN"
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    walks_nearest_first = True
    empty_hint: str | None = None

    def __init__(self, file: Path, *, read_only: bool) -> None:
        self.name = self.location = str(file)
        self._engine = _engine(file, read_only=read_only)
        # A file that is read without locks is opened anew for each query: it may have been written meanwhile.
        self._keeps_connections = not read_only

    def connect(self) -> Connection:
        """A new connection."""
        return self._engine.connect()

    def is_reusable(self, connection: Connection) -> bool:  # noqa: ARG002 - a file does not hang up
        """Whether an idle connection can be used again."""
        return self._keeps_connections

    def serialize_creation(self, connection: Connection) -> None:
        """Nothing to do: there is one writer at a time."""

    def to_store_error(self, error: BaseException) -> StoreError:
        """The driver's error as one of ours."""
        if isinstance(error, _ABOUT_DATA):
            return DataRefused(self.name, str(error))
        return _to_store_error(self.name, str(error))


def create_sqlite_file(file: Path) -> None:
    """Create `file` as an empty database with a write-ahead log, unless another process does so first.

    It is created beside `file` and then linked there: when two processes switch one file to a write-ahead log at once,
    SQLite refuses one of them without waiting.
    """
    new = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with suppress(OSError):  # it exists by now, or there are no hard links: then it is created when it is opened
            os.link(new, file)
    except sqlite3.Error as error:
        raise _to_store_error(str(file), str(error)) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(new)


def _engine(file: Path, *, read_only: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        uri = f"{file.absolute().as_uri()}?{_mode(file, read_only=read_only)}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        # The log is the truth and is durable; after a power cut this file is intact and at most some events behind.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, pool_reset_on_return=None)


def _mode(file: Path, *, read_only: bool) -> str:
    """Readers share a small file with writers, and cannot create it in a folder that they may not write to.

    Where writers left none, the database does not change, and is read without locks.
    """
    if not read_only:
        return "mode=rwc"
    return "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "mode=ro&immutable=1"


def _to_store_error(name: str, text: str) -> StoreError:
    if "not a database" in text:
        return StoreNotOurs(f"{name} is not a database. It was left as it is; use another file.")
    if "readonly" in text or "read-only" in text:
        return StoreReadOnly(f"the projection {name} cannot be written: {text}. Use a store that you may write to.")
    if "disk" in text and "full" in text:
        return StoreUnavailable(f"the disk of {name} is full. Free some space; nothing that was recorded is lost.")
    if "locked" in text:
        return StoreUnavailable(
            f"{name} was busy for {BUSY_TIMEOUT_S:.0f} s. Look for a stuck process, then try again."
        )
    return StoreUnavailable(f"the projection {name} failed: {text}. Rebuild it with `headwater replay --replace`.")
