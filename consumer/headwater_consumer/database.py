"""Opening the projection's database, and its transactions.

On a laptop it is one SQLite file; everything else in this package speaks SQLAlchemy and does not know which database
it is. A projection can be thrown away: every damage to it is healed by `headwater replay`.
"""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from headwater_eventlog.forking import Pool
from headwater_schemas.errors import FormatTooNew, StoreError, StoreNotOurs, StoreReadOnly, StoreUnavailable
from sqlalchemy import Connection, Engine, create_engine, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from headwater_consumer.declaring import SCHEMA
from headwater_consumer.rows import ROW_TYPES, Meta

FORMAT = 1  # of the tables; another one is rebuilt by replay
BUSY_TIMEOUT_S = 60.0  # how long a transaction waits for another process's
CACHE_KIB = 65_536


def driver_of(connection: Connection) -> Any:
    """The driver's own connection, on which small statements cost half."""
    return connection.connection.driver_connection


class Database:
    """The projection's database. Safe to use from threads, and in a child after a fork."""

    def __init__(self, engine: Engine, name: str, *, keep_connections: bool = True) -> None:
        self._connections = Pool(name, engine.connect, Connection.close, lambda _: keep_connections)
        self.name = name  # for messages

    @classmethod
    def open_sqlite(cls, file: Path, *, create: bool = True, read_only: bool = False) -> "Database":
        """Open the database in `file`, making it where it is missing and `create` is set.

        Raises: StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew.
        """
        if not file.exists():
            if read_only or not create:
                raise StoreUnavailable(
                    f"there is no projection at {file}. Run `headwater replay` to build it from the log."
                )
            _make_sqlite(file)
        # What may be read without locks is opened anew for each look: the next may be after somebody wrote.
        database = cls(_sqlite_engine(file, read_only=read_only), str(file), keep_connections=not read_only)
        if create and not read_only:
            database._create_tables()
        database._check_format()
        return database

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write: all or nothing, one at a time. Raises: StoreUnavailable when full or busy, StoreReadOnly."""
        with self._begun("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one unchanging snapshot, while others write. Keep it short: nothing is cleaned up meanwhile."""
        with self._begun("BEGIN") as connection:
            yield connection

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """Read with one statement, which is a snapshot of its own: a third of the cost of `reading`."""
        with self._translated(), self._connections.borrowed() as connection:
            yield connection

    def drop_everything(self) -> None:
        """Empty all tables."""
        with self.transaction() as connection:
            for row_type in ROW_TYPES:
                connection.execute(row_type.table.delete())

    def close(self) -> None:
        """Close all connections of this process. Closing twice is fine."""
        self._connections.close()

    @contextmanager
    def _begun(self, statement: str) -> Iterator[Connection]:
        with self._translated(), self._connections.borrowed() as connection:
            # Said to the driver: it would begin by itself only before the first write, too late for a snapshot.
            driver_of(connection).execute(statement)
            try:
                yield connection
            except BaseException:
                connection.rollback()
                driver_of(connection).rollback()
                raise
            connection.commit()
            driver_of(connection).commit()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _store_error(self.name, str(error.orig)) from error
        except sqlite3.Error as error:
            raise _store_error(self.name, str(error)) from error

    def _create_tables(self) -> None:
        with self.reading() as connection:
            there = inspect(connection).get_table_names()
        if Meta.table.name in there:
            return
        if there:
            raise StoreNotOurs(
                f"{self.name} holds other tables ({there[0]!r}). It was left as it is; use another file."
            )
        with self.transaction() as connection:
            SCHEMA.create_all(connection)
            if connection.execute(select(Meta.table)).first() is None:
                connection.execute(Meta.table.insert().values(name="format", value=str(FORMAT)))

    def _check_format(self) -> None:
        statement = select(Meta.table.c.value).where(Meta.table.c.name == "format")
        with self.reading() as connection:
            has_meta = inspect(connection).has_table(Meta.table.name)
            found = connection.execute(statement).scalar() if has_meta else None
        if found is None or not found.isdecimal():
            raise StoreNotOurs(
                f"{self.name} is not a headwater projection: it does not say its format. It was left as it is; move it "
                "away, and the next command builds a projection from the log."
            )
        if int(found) > FORMAT:
            raise FormatTooNew(
                f"{self.name} has format {found}; this release knows {FORMAT}. Upgrade headwater, "
                "or build a projection of this release's format with `headwater replay --replace`."
            )


def _make_sqlite(file: Path) -> None:
    """Make `file` an empty database with a write-ahead log, unless another process does so first.

    Made beside it and then given its name: of two processes that switch one file to a write-ahead log at once, SQLite
    refuses one without waiting.
    """
    new = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with suppress(OSError):  # there by now, or a file system without links: then it is made where it is opened
            os.link(new, file)
    except sqlite3.Error as error:
        raise _store_error(str(file), str(error)) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(new)


def _sqlite_engine(file: Path, *, read_only: bool) -> Engine:
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
    """Readers share a small file with writers, and cannot make it in a folder that they may not write to.

    Where writers left none the file stands still, and is read without locks.
    """
    if not read_only:
        return "mode=rwc"
    return "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "mode=ro&immutable=1"


def _store_error(name: str, text: str) -> StoreError:
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
    return StoreUnavailable(f"the projection {name} failed: {text}. `headwater replay --replace` builds it anew.")
