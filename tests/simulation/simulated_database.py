"""The database as one virtual process reaches it: a real one; only what surrounds its transactions is simulated."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from headwater_consumer.database import Database, driver_connection
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter, GaveWay
from headwater_consumer.rows import LogPositionRow
from headwater_schemas.positions import BEFORE_FIRST

from tests.simulation.faults import Crash, Fault, Violation
from tests.simulation.world import Process, World

DISK = "disk of the database"
PAGES_MAX = 1 << 30  # of a database with room
DURABLE_RATE = 0.2  # how often all transactions so far have reached the disk
_LISTENS_RATE = 0.8  # the others look


class ProcessDatabase(Database):
    """The real database, reached by one process. No process is overtaken inside of a transaction: they exclude."""

    def __init__(self, process: Process) -> None:
        self._process, self._world, self._real = process, process.world, process.world.database
        self.name = self._real.name
        self.adapter = cast("DatabaseAdapter", _ProcessAdapter(process, self._real.adapter))
        self._listens = self._world.random.random() < _LISTENS_RATE
        self._world.announcements[process.name].clear()  # of an earlier life
        self._late: list[tuple[str, str]] = []  # whom, and what

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._process.effect("a database commit"):
            self._world.disk.before_transaction()
            before = self._world.cursor
            with self._real.transaction() as connection, self._room_for(connection):
                yield connection
                if self._world.faults.strikes(Fault.CRASH_BEFORE):
                    raise Crash("before a database commit, in its transaction")
                if self._world.faults.strikes(Fault.GAVE_WAY):
                    raise GaveWay("the simulated database undid a transaction.")
            self._world.cursor = self._check_cursor(before)
            for partition, offset in self._world.cursor.items():
                self._world.furthest[partition] = max(offset, self._world.furthest.get(partition, BEFORE_FIRST))
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

    def announce(self, text: str) -> None:
        """Whoever is there may hear of it: never, late, twice, or among others in another order."""
        for process in self._world.processes:
            heard = self._world.announcements[process.name]
            if self._world.faults.strikes(Fault.UNHEARD):
                if self._world.random.random() < 0.5:
                    self._late.append((process.name, text))
                continue
            heard.extend([text] * self._world.random.choice((1, 1, 2)))
        for name, late in self._late[: self._world.random.randint(0, len(self._late))]:
            self._late.remove((name, late))
            self._world.announcements[name].append(late)
        self._world.overtaken()

    def hear(self, timeout_s: float) -> list[str] | None:
        if not self._listens:
            return None
        heard = self._world.announcements[self._process.name]
        if not heard:
            self._world.sleep(timeout_s)
        self._world.random.shuffle(heard)
        told, heard[:] = list(heard), []
        return told

    def close(self) -> None:
        pass

    @contextmanager
    def _room_for(self, connection: Connection) -> Iterator[None]:
        """On a full disk the database may not grow: a real error out of real code."""
        full = self._world.is_full(DISK)
        if full:
            connection.driver.execute("PRAGMA max_page_count = 1")  # SQLite makes it as many as there are
        yield  # after an error the connection is closed, and its limit with it
        if full:
            connection.driver.execute(f"PRAGMA max_page_count = {PAGES_MAX}")

    def _check_cursor(self, before: dict[int, int]) -> dict[int, int]:
        with self._real.autocommit() as connection:
            rows = driver_connection(connection).execute('SELECT partition, "offset" FROM log_positions').fetchall()
        now = {row[0]: row[1] for row in rows}
        for partition, offset in before.items():
            if now.get(partition, BEFORE_FIRST) < offset:
                raise Violation(f"the cursor of partition {partition} went back from {offset} to {now.get(partition)}")
        return now


class _ProcessAdapter:
    """The real adapter, but another process may have locked a cursor."""

    def __init__(self, process: Process, real: DatabaseAdapter) -> None:
        self._process, self._real = process, real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def lock_cursors(self, connection: Connection, partitions: Sequence[int]) -> list[LogPositionRow]:
        cursors = self._real.lock_cursors(connection, partitions)
        if cursors and self._process.world.faults.strikes(Fault.TAKEN):
            taken = cursors.pop(self._process.world.random.randrange(len(cursors)))
            self._process.note(f"partition {taken.partition} is taken")
        return cursors


class DatabaseDisk:
    """What is left of the database if it crashes: all but the last transactions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._copy: sqlite3.Connection | None = None  # None: as long as no transaction can be lost
        self._cursor: dict[int, int] = {}  # as of the copy
        self._lost = 0  # transactions after it

    def before_transaction(self) -> None:
        """One more transaction begins. Until now and then those before it become durable."""
        if not self._world.faults.can_strike(Fault.LOST_COMMITS):
            return
        self._lost += 1
        if self._copy is None or self._world.random.random() < DURABLE_RATE:
            self._copy = self._copy or sqlite3.connect(":memory:")
            with self._world.database.autocommit() as connection:
                driver_connection(connection).backup(self._copy)
            self._cursor, self._lost = self._world.cursor, 1

    def crash(self) -> int:
        """The database becomes what is durable of it. Returns how many transactions that takes back, at most."""
        if self._copy is None:
            return 0
        with self._world.database.autocommit() as connection:
            self._copy.backup(driver_connection(connection))
        self._world.cursor = self._cursor
        return self._lost
