"""The database as one virtual process reaches it: a real one; only what surrounds its transactions is simulated."""

from collections.abc import Iterator
from contextlib import contextmanager

from headwater_consumer.database import Database, driver_connection
from headwater_schemas.positions import BEFORE_FIRST
from sqlalchemy import Connection

from tests.simulation.faults import Crash, Fault, Violation
from tests.simulation.world import Process

DISK = "disk of the database"
PAGES_MAX = 1 << 30  # of a database with room


class ProcessDatabase(Database):
    """The real database, reached by one process. No process is overtaken inside of a transaction: they exclude."""

    def __init__(self, process: Process) -> None:
        self._process, self._world, self._real = process, process.world, process.world.database
        self.name = self._real.name
        self.adapter = self._real.adapter

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._process.effect("a database commit"):
            before = self._world.cursor
            with self._real.transaction() as connection, self._room_for(connection):
                yield connection
                if self._world.faults.strikes(Fault.CRASH_BEFORE):
                    raise Crash("before a database commit, in its transaction")
            self._world.cursor = self._check_cursor(before)
        self._world.overtaken()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        with self._real.snapshot() as connection:
            yield connection
        self._world.overtaken()

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        with self._real.autocommit() as connection:
            yield connection
        self._world.overtaken()

    def close(self) -> None:
        pass

    @contextmanager
    def _room_for(self, connection: Connection) -> Iterator[None]:
        """On a full disk the database may not grow: a real error out of real code."""
        full = self._world.is_full(DISK)
        if full:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite makes it as many as there are
        yield  # after an error the connection is closed, and its limit with it
        if full:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {PAGES_MAX}")

    def _check_cursor(self, before: dict[int, int]) -> dict[int, int]:
        with self._real.autocommit() as connection:
            rows = driver_connection(connection).execute('SELECT partition, "offset" FROM log_positions').fetchall()
        now = {row[0]: row[1] for row in rows}
        for partition, offset in before.items():
            if now.get(partition, BEFORE_FIRST) < offset:
                raise Violation(f"the cursor of partition {partition} went back from {offset} to {now.get(partition)}")
        return now
