"""Opening the projection's database, and its transactions."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from headwater_eventlog.port import LogIdentity
from headwater_runtime.closing import closed_on_failure
from headwater_schemas.errors import (
    FormatTooNew,
    FormatTooOld,
    StoreError,
    StoreMissing,
    StoreNotOurs,
)

from headwater_consumer.database.blocks import Block, connections_of
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter, TableMissing
from headwater_consumer.database.postgresql.naming import SCHEMA_NAME
from headwater_consumer.database.row_mapping import create_tables
from headwater_consumer.database.sql import select
from headwater_consumer.database.sqlite import SqliteFile, SqliteMemory, create_sqlite_file
from headwater_consumer.database.tables import PROJECTION_META
from headwater_consumer.rows import MetaRow

FORMAT = 10  # of the tables; a projection of another format is rebuilt by a replay
_FORMAT, _LOG, _PARTITIONS, _ANCESTORS = "format", "log", "partitions", "ancestors"  # names in PROJECTION_META


class Database:
    """The projection's database. Safe to use from threads, and in a child after a fork."""

    def __init__(self, adapter: DatabaseAdapter) -> None:
        self.adapter = adapter
        self._connections = connections_of(adapter)
        self.name = adapter.name  # for messages
        self._meta_at_opening: dict[str, str] = {}

    @classmethod
    def open_sqlite(cls, file: Path, *, create: bool = True, read_only: bool = False) -> "Database":
        """Open the database in `file`; `create` makes it where it is missing.

        Raises: StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew, FormatTooOld.
        """
        adapter = SqliteFile(file, read_only=read_only)
        if not file.exists():
            if read_only or not create:
                raise adapter.missing()
            create_sqlite_file(file)
        database = cls(adapter)
        with closed_on_failure(database):
            if create and not read_only:
                database._create_tables()
            database._check_format()
        return database

    @classmethod
    def in_memory(cls, name: str) -> "Database":
        """A projection of nothing, for readers of what does not exist yet. What is written to it is not kept."""
        return cls(SqliteMemory(name))

    @classmethod
    def open_postgresql(cls, url: str, *, schema: str = SCHEMA_NAME, create: bool = True) -> "Database":
        """Open the projection in one schema of the database at `url`; `create` makes the schema and its tables.

        Raises: InvalidSettings, StoreUnavailable, StoreNotOurs, FormatTooNew, FormatTooOld.
        """
        from headwater_consumer.database.postgresql.schema import PostgresqlSchema  # deferred: psycopg

        adapter = PostgresqlSchema(url, schema)
        database = cls(adapter)
        with closed_on_failure(database):
            try:
                database._check_format()  # one question, where everything is there
            except StoreMissing:
                if not create:
                    raise
                adapter.create_schema()
                database._create_tables()
                database._check_format()
        return database

    # --- transactions

    def transaction(self) -> AbstractContextManager[Connection]:
        """Write: all or nothing, one at a time. Raises: StoreUnavailable when full or busy, StoreReadOnly."""
        return Block(self.adapter, self._connections.borrowed(), self.adapter.begin_writing)

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Read one unchanging snapshot, while others write. Keep it short: nothing is vacuumed meanwhile."""
        return Block(self.adapter, self._connections.borrowed(), self.adapter.begin_reading)

    def autocommit(self) -> AbstractContextManager[Connection]:
        """Read with one statement, which is a snapshot of its own: a third of the cost of `snapshot`."""
        return Block(self.adapter, self._connections.borrowed(), None)

    @contextmanager
    def within(self, seconds: float) -> Iterator[Connection]:
        """As `autocommit`, for a question that may take so long at most. Raises: TookTooLong."""
        with self.autocommit() as connection:
            self.adapter.limit_time(connection, seconds)
            try:
                yield connection
            finally:
                self.adapter.limit_time(connection, None)

    # --- announcements

    def announce(self, text: str) -> None:
        """Tell all who `hear`. They may miss it: it is a hint, and no failure of it counts."""
        with suppress(StoreError), self.autocommit() as connection:
            self.adapter.announce(connection, text)

    def hear(self, timeout_s: float) -> list[str] | None:
        """What was announced; see `DatabaseAdapter.hear`. A fork waits meanwhile. Raises: StoreUnavailable."""
        with self.autocommit() as connection:
            return self.adapter.hear(connection, timeout_s)

    def close(self) -> None:
        """Close all connections of this process. Closing twice is fine."""
        self._connections.close()

    # --- which projection this is

    @property
    def location(self) -> str:
        """Which projection this is among those of one server, by whatever address that is reached."""
        return self.adapter.location

    def source_log(self) -> LogIdentity | None:
        """The log that this is the projection of, which never changes; None while it is bound to none."""
        values = self._meta_at_opening
        if _LOG not in values:
            with self.autocommit() as connection:
                values = _meta(connection)
        if _LOG not in values:
            return None
        return LogIdentity(values[_LOG], int(values[_PARTITIONS]), tuple(filter(None, values[_ANCESTORS].split(","))))

    def bind_to_log(self, log: LogIdentity) -> None:
        """Make this the projection of one log, unless it is bound already; `source_log` then names that one."""
        with self.transaction() as connection:
            self.adapter.serialize_creation(connection)
            if _LOG not in _meta(connection):
                values = {
                    _LOG: log.generation,
                    _PARTITIONS: str(log.partitions),
                    _ANCESTORS: ",".join(log.ancestors),
                }
                self.adapter.upsert_rows(connection, MetaRow, [MetaRow(*pair) for pair in values.items()])

    # --- tables

    def _table_names(self) -> list[str]:
        with self.snapshot() as connection:
            return self.adapter.table_names(connection)

    def _has_tables(self) -> bool:
        names = self._table_names()
        if names and PROJECTION_META.name not in names:
            raise StoreNotOurs(
                f"{self.name} holds other tables ({names[0]!r}). It was left as it is; use another database."
            )
        return bool(names)

    def _create_tables(self) -> None:
        if self._has_tables():
            return
        with self.transaction() as connection:
            self.adapter.serialize_creation(connection)
            create_tables(connection)
            self.adapter.insert_row(connection, MetaRow(_FORMAT, str(FORMAT)))

    def _read_meta(self) -> dict[str, str]:
        """What it says of itself; empty where the table of that is missing among others.

        Raises: `DatabaseAdapter.missing` where there are none, as its creator is at work, or was killed.
        """
        try:
            with self.autocommit() as connection:
                return _meta(connection)
        except TableMissing:
            if not self._table_names():
                raise self.adapter.missing() from None
        with suppress(TableMissing), self.autocommit() as connection:  # by now, if another process was creating it
            return _meta(connection)
        return {}

    def _check_format(self) -> None:
        self._meta_at_opening = self._read_meta()
        found = self._meta_at_opening.get(_FORMAT)
        if found is None or not found.isdecimal():
            raise StoreNotOurs(
                f"{self.name} is not a headwater projection: it does not name its format. It was left as it is; "
                "`headwater replay --replace` puts a projection of the log in its place."
            )
        if int(found) > FORMAT:
            raise FormatTooNew(
                f"{self.name} has format {found}; this release knows {FORMAT}. Upgrade headwater, "
                "or build a projection of this release's format with `headwater replay --replace`."
            )
        if int(found) < FORMAT:
            raise FormatTooOld(
                f"{self.name} has format {found} of an earlier release; this one has {FORMAT}. Nothing is lost: "
                "rebuild it from the log with `headwater replay --replace`."
            )


def _meta(connection: Connection) -> dict[str, str]:
    """What the projection says of itself, by name."""
    return dict(_all_meta().tuples(connection))


@compiled
def _all_meta() -> Statement:
    return select(PROJECTION_META)
