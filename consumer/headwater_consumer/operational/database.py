"""Opening the operational tables, and their transactions."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from headwater_runtime.closing import closed_on_failure
from headwater_runtime.files import make_folders
from headwater_runtime.shared_databases import DatabaseAccess, access_of
from headwater_schemas.errors import FormatTooNew, StoreMissing, StoreNotOurs, StoreReadOnly, StoreUnavailable

from headwater_consumer.database.blocks import Block, connections_of
from headwater_consumer.database.connection import POSTGRESQL, Connection
from headwater_consumer.database.port import DatabaseAdapter, Holding
from headwater_consumer.database.sqlite import SqliteFile, create_sqlite_file
from headwater_consumer.operational.tables import FORMAT, META, TABLES

HOLDING = Holding("the operational tables", "Put a copy of them back, or move them away to begin with empty ones.")
FILE = "operational/operational.db"  # in the folder of a store
SCHEMA_SUFFIX = "_operational"  # after the name of the projection's schema

_FORMAT = "format"  # a name in META
_READ_FORMAT = "SELECT value FROM operational_meta WHERE name = ?"
_WRITE_FORMAT = "INSERT INTO operational_meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"

_WORDS = re.compile(r"\?|\b(?:NOW_US|BYTES)\b")  # those of `tables` and of `Statements` that databases say differently


class Statements:
    """Runs SQL that both databases understand: `?` stands for a value, NOW_US for the time by the database's clock.

    It is in microseconds since 1970. Machines whose own clocks differ share that clock.
    """

    __slots__ = ("_connection", "_now_us")

    def __init__(self, connection: Connection, now_us: str) -> None:
        self._connection = connection
        self._now_us = now_us

    def run(self, sql: str, *values: object) -> int:
        """Run a statement that gives no rows; returns how many it changed."""
        return int(self._execute(sql, values).rowcount)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows."""
        found: list[tuple[Any, ...]] = self._execute(sql, values).fetchall()
        return found

    def first(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        """The first row, or None. The others are read as well: a statement of SQLite that is not ends nothing."""
        return next(iter(self.rows(sql, *values)), None)

    def _execute(self, sql: str, values: tuple[object, ...]) -> Any:
        return self._connection.driver.execute(_in_dialect(sql, self._connection.dialect, self._now_us), values)


class OperationalDatabase:
    """The operational tables of one store. Safe to use from threads, from processes, and in a child after a fork."""

    def __init__(self, adapter: DatabaseAdapter) -> None:
        self.name = adapter.name  # for messages
        self._adapter = adapter
        self._connections = connections_of(adapter)

    @classmethod
    def open_in_folder(cls, store: Path, *, create: bool = True) -> "OperationalDatabase":
        """Open the tables of the store in a folder; `create` makes them where they are missing.

        Who may not write them can read them. Raises: StoreMissing, StoreUnavailable, StoreReadOnly, StoreNotOurs,
        FormatTooNew.
        """
        file = store / FILE
        if not file.exists():
            if not create:
                raise _missing(str(file))
            _make_folder(file.parent)
            create_sqlite_file(file, HOLDING)
        is_writable = access_of(file) is DatabaseAccess.WRITING
        database = cls(SqliteFile(file, read_only=not is_writable, holding=HOLDING))
        with closed_on_failure(database):
            database._prepare(create=create and is_writable)
        return database

    @classmethod
    def open_postgresql(cls, url: str, *, beside: str, create: bool = True) -> "OperationalDatabase":
        """Open the tables beside the projection in the schema `beside`; `create` makes them where they are missing.

        Raises: InvalidSettings, StoreMissing, StoreUnavailable, StoreNotOurs, FormatTooNew.
        """
        from headwater_consumer.database.postgresql.schema import PostgresqlSchema  # deferred: psycopg

        adapter = PostgresqlSchema(url, beside + SCHEMA_SUFFIX, holding=HOLDING)
        database = cls(adapter)
        with closed_on_failure(database):
            if create and not database._table_names():
                adapter.create_schema()
            database._prepare(create=create)
        return database

    @contextmanager
    def transaction(self) -> Iterator[Statements]:
        """Read and write: all or nothing. On SQLite, one at a time.

        A crash of the process undoes nothing that is committed. A power cut can undo the last commits to a file.
        Raises: StoreUnavailable when full or busy, StoreReadOnly.
        """
        with self._block(self._adapter.begin_durably) as connection:
            yield Statements(connection, self._adapter.clock_us)

    @contextmanager
    def statement(self) -> Iterator[Statements]:
        """As `transaction`, but each statement is one of its own: a third of the cost on PostgreSQL."""
        with self._block(None) as connection:
            yield Statements(connection, self._adapter.clock_us)

    def close(self) -> None:
        """Close all connections of this process. Closing twice is fine."""
        self._connections.close()

    def _block(self, begin: str | None) -> Block:
        return Block(self._adapter, self._connections.borrowed(), begin)

    def _table_names(self) -> set[str]:
        with self._block(None) as connection:
            return set(self._adapter.table_names(connection))

    def _prepare(self, *, create: bool) -> None:
        """Check what is there, and create what is missing."""
        names = self._table_names()
        if names and META.name not in names:
            raise StoreNotOurs(
                f"{self.name} holds other tables ({min(names)!r}). It was left as it is; move it away to begin with "
                "empty operational tables."
            )
        if not names and not create:
            raise _missing(self.name)
        if names:
            self._check_format()  # before anything is added to it
        if create and not names.issuperset(table.name for table in TABLES):
            self._create_tables()

    def _create_tables(self) -> None:
        with self._block(self._adapter.begin_durably) as connection:
            self._adapter.serialize_creation(connection)
            statements = Statements(connection, self._adapter.clock_us)
            for table in TABLES:
                statements.run(table.definition)
            statements.run(_WRITE_FORMAT, _FORMAT, str(FORMAT))

    def _check_format(self) -> None:
        with self.statement() as statements:
            found = statements.first(_READ_FORMAT, _FORMAT)
        if found is None or not found[0].isdecimal():
            raise StoreNotOurs(
                f"{self.name} does not name the format of its operational tables. It was left as it is; move it away "
                "to begin with empty ones."
            )
        if int(found[0]) > FORMAT:
            raise FormatTooNew(
                f"the operational tables {self.name} have format {found[0]}; this release knows {FORMAT}. Upgrade "
                "headwater."
            )


@cache
def _in_dialect(sql: str, dialect: str, now_us: str) -> str:
    is_postgresql = dialect == POSTGRESQL
    words = {"?": "%s" if is_postgresql else "?", "BYTES": "BYTEA" if is_postgresql else "BLOB", "NOW_US": now_us}
    return _WORDS.sub(lambda found: words[found[0]], sql)


def _missing(name: str) -> StoreMissing:
    return StoreMissing(f"there are no operational tables in {name}: nothing was remembered there yet.")


def _make_folder(folder: Path) -> None:
    try:
        make_folders(folder)
    except PermissionError as error:
        raise StoreReadOnly(
            f"{HOLDING.noun} cannot be created in {folder}: {error.strerror}. Use a store that you may write to."
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"the folder {folder} cannot be created: {error.strerror}. Check the disk; no recorded data is lost."
        ) from error
