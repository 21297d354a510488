"""Opening the projection's database, and its transactions.

On a laptop it is one SQLite file, for many a schema of PostgreSQL; the rest of this package speaks SQLAlchemy and
hardly knows which. A projection can be thrown away: every damage to it is healed by `headwater replay`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from headwater_runtime.pools import Pool
from headwater_schemas.errors import FormatTooNew, FormatTooOld, StoreError, StoreNotOurs, StoreUnavailable
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import DBAPIError

from headwater_consumer.declaring import SCHEMA
from headwater_consumer.postgresql import SCHEMA_NAME, PostgresqlSchema
from headwater_consumer.rows import ROW_TYPES, Meta
from headwater_consumer.sqlite import SqliteFile, make_sqlite

FORMAT = 2  # of the tables; another one is rebuilt by replay
_LOG, _PARTITIONS = "log", "partitions"  # in `Meta`: which log this is the projection of


def driver_of(connection: Connection) -> Any:
    """The driver's own connection, on which small statements cost half."""
    return connection.connection.driver_connection


class Driver(Protocol):
    """What differs between databases."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def place(self) -> str:
        """Without where the server is: several names may lead there."""
        ...

    @property
    def begin_writing(self) -> str: ...

    @property
    def begin_reading(self) -> str:
        """Begins a snapshot that does not change."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]: ...

    def connect(self) -> Connection: ...

    def still_good(self, connection: Connection) -> bool: ...

    def lock(self, connection: Connection) -> None:
        """Until the end of this transaction nobody else gets past here: for what is made once."""
        ...

    def store_error(self, error: BaseException) -> StoreError: ...


class Database:
    """The projection's database. Safe to use from threads, and in a child after a fork."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._connections = Pool(
            driver.name,
            driver.connect,
            Connection.close,
            unavailable=StoreUnavailable,
            is_usable=driver.still_good,
        )
        self.name = driver.name  # for messages

    @classmethod
    def open_sqlite(cls, file: Path, *, create: bool = True, read_only: bool = False) -> "Database":
        """Open the database in `file`, making it where it is missing and `create` is set.

        Raises: StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew, FormatTooOld.
        """
        if not file.exists():
            if read_only or not create:
                raise StoreUnavailable(
                    f"there is no projection at {file}. Run `headwater replay` to build it from the log."
                )
            make_sqlite(file)
        database = cls(SqliteFile(file, read_only=read_only))
        if create and not read_only:
            database._create_tables()
        database._check_format()
        return database

    @classmethod
    def open_postgresql(cls, url: str, *, schema: str = SCHEMA_NAME, create: bool = True) -> "Database":
        """Open the projection in one schema of the database at `url`; `create` makes the schema and its tables.

        Raises: InvalidSettings, StoreUnavailable, StoreNotOurs, FormatTooNew, FormatTooOld.
        """
        driver = PostgresqlSchema(url, schema)
        database = cls(driver)
        if create and not database._has_tables():
            driver.make_schema()
            database._create_tables()
        database._check_format()
        return database

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write: all or nothing, one at a time. Raises: StoreUnavailable when full or busy, StoreReadOnly."""
        with self._begun(self.driver.begin_writing) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one unchanging snapshot, while others write. Keep it short: nothing is cleaned up meanwhile."""
        with self._begun(self.driver.begin_reading) as connection:
            yield connection

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """Read with one statement, which is a snapshot of its own: a third of the cost of `reading`."""
        with self._translated(), self._connections.borrowed() as connection:
            yield connection

    def drop_everything(self) -> None:
        """Empty all tables, and be the projection of no log."""
        with self.transaction() as connection:
            connection.execute(Meta.table.delete().where(Meta.table.c.name.in_((_LOG, _PARTITIONS))))
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
                with suppress(DBAPIError, *self.driver.errors):  # a connection that broke has nothing to take back
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
            raise self.driver.store_error(error.orig or error) from error
        except self.driver.errors as error:
            raise self.driver.store_error(error) from error

    @property
    def place(self) -> str:
        """Which projection this is among those of one server, by whatever name that is reached."""
        return self.driver.place

    def known_log(self) -> tuple[str, int] | None:
        """(generation, partitions) of the log that this is the projection of; None while nobody said."""
        with self.asking() as connection:
            said = {row.name: row.value for row in connection.execute(select(Meta.table))}
        return (said[_LOG], int(said[_PARTITIONS])) if _LOG in said else None

    def remember_log(self, generation: str, partitions: int) -> None:
        """From here on this is the projection of one log. Whoever comes first counts; `known_log` says who."""
        with self.transaction() as connection:
            self.driver.lock(connection)
            if connection.execute(select(Meta.table).where(Meta.table.c.name == _LOG)).first() is None:
                rows = [{"name": _LOG, "value": generation}, {"name": _PARTITIONS, "value": str(partitions)}]
                connection.execute(Meta.table.insert(), rows)

    def take_place_of(self, schema: str) -> None:
        """Be the projection called `schema` from here on, for those too who have the one before open.

        Of PostgreSQL. Raises: StoreNotOurs when something else is in that schema.
        """
        assert isinstance(self.driver, PostgresqlSchema)
        with self.reading() as connection:
            foreign = set(inspect(connection).get_table_names(schema)) - SCHEMA.tables.keys()
        if foreign:
            raise StoreNotOurs(f"schema {schema} holds {min(foreign)!r}, which is not ours. It was left as it is.")
        self.driver.take_place_of(schema)

    def _has_tables(self) -> bool:
        with self.reading() as connection:
            there = inspect(connection).get_table_names()
        if there and Meta.table.name not in there:
            raise StoreNotOurs(
                f"{self.name} holds other tables ({there[0]!r}). It was left as it is; use another database."
            )
        return bool(there)

    def _create_tables(self) -> None:
        if self._has_tables():
            return
        with self.transaction() as connection:
            self.driver.lock(connection)
            SCHEMA.create_all(connection)
            if connection.execute(select(Meta.table)).first() is None:
                connection.execute(Meta.table.insert().values(name="format", value=str(FORMAT)))

    def _check_format(self) -> None:
        statement = select(Meta.table.c.value).where(Meta.table.c.name == "format")
        with self.reading() as connection:
            has_meta = inspect(connection).has_table(Meta.table.name)
            found = connection.execute(statement).scalar() if has_meta else None
            is_empty = not has_meta and not inspect(connection).get_table_names()
        if is_empty and isinstance(self.driver, PostgresqlSchema):
            raise StoreUnavailable(
                f"there is no projection in {self.name}. Start `headwater projector`, which makes it."
            )
        if found is None or not found.isdecimal():
            raise StoreNotOurs(
                f"{self.name} is not a headwater projection: it does not say its format. It was left as it is; "
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
                "`headwater replay --replace` builds it anew from the log."
            )
