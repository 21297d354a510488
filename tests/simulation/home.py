"""Where schedules have their databases: real ones, used again, as opening new ones would cost more than to simulate."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from headwater_consumer.database import Database, driver_connection
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.row_mapping import table_name
from headwater_consumer.database.sqlite import SqliteFile
from headwater_consumer.database.tables import ROW_TYPES
from headwater_runtime.pools import Pool
from headwater_schemas.errors import StoreUnavailable

from tests.simulation.simulated_database import PAGES_MAX

_MEMORY = Path("/dev/shm")


class Home:
    """Two databases in a folder, emptied again for each schedule."""

    def __init__(self, folder: Path) -> None:
        self._live = _ReusedDatabase(folder / "live.db")
        self._replayed = _ReusedDatabase(folder / "replayed.db")

    def live(self) -> Database:
        """The empty projection that a schedule fills."""
        return self._live.emptied()

    def replayed(self) -> Database:
        """An empty projection beside it."""
        return self._replayed.emptied()

    def close(self) -> None:
        self._live.close()
        self._replayed.close()


class _ReusedDatabase(Database):
    """Its schema stays the same for ever, and so do its connections, so that no statement is prepared twice.

    To prepare all that a schedule uses takes a quarter of its time.
    """

    def __init__(self, file: Path) -> None:
        _create(file)
        adapter = SqliteFile(file, read_only=False)
        super().__init__(adapter)
        self._aside: list[Connection] = []
        self._connections = Pool(
            adapter.name,
            lambda: self._aside.pop() if self._aside else adapter.connect(),
            self._put_aside,
            unavailable=StoreUnavailable,
        )

    def emptied(self) -> Database:
        with self.transaction() as connection:
            run = driver_connection(connection).execute
            for table in map(table_name, ROW_TYPES):
                if run(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
                    run(f"DELETE FROM {table}")
        with self.autocommit() as connection:
            # As small again as an empty one: a full disk shows where a database grows.
            driver_connection(connection).executescript("PRAGMA incremental_vacuum")
        return self

    def close(self) -> None:
        super().close()
        while self._aside:
            self._aside.pop().close()

    def _put_aside(self, connection: Connection) -> None:
        """What was given up after an error is as good as new."""
        connection.rollback()
        driver_connection(connection).execute(f"PRAGMA max_page_count = {PAGES_MAX}")
        self._aside.append(connection)


def _create(file: Path) -> None:
    """An empty projection that can be made smaller."""
    Database.open_sqlite(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # with a write-ahead log, the next statement does nothing
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("VACUUM")


@contextmanager
def home() -> Iterator[Home]:
    """A home in memory, where the system has a folder for that."""
    with (
        tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder,
        closing(Home(Path(folder))) as made,
    ):
        yield made
