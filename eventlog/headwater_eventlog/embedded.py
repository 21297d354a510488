"""The event log as one SQLite file: one partition, any number of processes, no server.

A commit that has returned is durable (write-ahead mode with synchronous=FULL). `log_file` creates, opens and closes the
file; this module appends and reads records.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from headwater_runtime.fair_lock import fair_lock
from headwater_runtime.pools import Pool
from headwater_schemas import header_block
from headwater_schemas.errors import DurabilityUnknown, StoreMissing, StoreNotOurs, StoreReadOnly, StoreUnavailable
from headwater_schemas.limits import OFFSETS_MAX
from headwater_schemas.positions import BEFORE_FIRST, Position

from headwater_eventlog.ancestry import check_ancestors
from headwater_eventlog.checks import check_append, check_partition
from headwater_eventlog.log_file import (
    GET_ACCESS,
    LOCK_FILE,
    LOG_FILE,
    PARTITIONS,
    RESTORE,
    LogConnection,
    check_application,
    create_log,
    describe_error,
    exists,
    primary_code,
    retry_while_busy,
    to_store_error,
)
from headwater_eventlog.port import (
    BYTES_PER_READ_MAX,
    RECORDS_PER_READ_MAX,
    LogIdentity,
    NewRecord,
    Record,
    RecordsGone,
)

READ_WAIT_S = 30.0  # for another process that recovers the log after a crash; readers never wait for writers
READ_TRIES_MAX = 100  # of a file that is being replaced, or written while it is read without locks

_LAST = "SELECT ifnull(max(offset), -1) FROM records"  # -1: BEFORE_FIRST
_INSERT = "INSERT INTO records (offset, time_us, key, headers, payload) VALUES (?, ?, ?, ?, ?)"
_READ = "SELECT offset, time_us, key, headers, payload FROM records WHERE offset > ? ORDER BY offset LIMIT ?"

_Row = tuple[str, bytes, bytes]  # key, headers, payload
T = TypeVar("T")


def now_us() -> int:
    """The machine's clock: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class EmbeddedEventLog:
    """`port.EventLog` in a folder. Open it with `open`."""

    def __init__(self, path: Path, *, read_only: bool, clock: Callable[[], int]) -> None:
        self._path = path
        self._read_only = read_only
        self._clock = clock
        self._pool = Pool(
            f"the log {path}",
            self._connect,
            LogConnection.close,
            unavailable=StoreUnavailable,
            is_usable=LogConnection.is_current,
        )
        self._identity: LogIdentity | None = None  # None until the first connection has read it
        self._seen = BEFORE_FIRST  # the highest offset that was there; the file may be replaced by an older copy
        with self._pool.borrowed():
            pass

    @classmethod
    def open(
        cls, folder: Path, *, create: bool = True, read_only: bool = False, clock: Callable[[], int] = now_us
    ) -> "EmbeddedEventLog":
        """Open the log in `folder`; create it where there is none and `create` is set.

        Where the folder cannot be written, or with `read_only`, it is opened for reading. `clock` returns microseconds
        since 1970. Raises: StoreUnavailable, StoreReadOnly (there is none and it cannot be created), StoreNotOurs,
        FormatTooNew.
        """
        path = Path(os.path.abspath(folder)) / LOG_FILE
        if not exists(path):
            if not create or read_only:
                raise StoreUnavailable(
                    f"there is no event log in {path.parent}: {path} does not exist. Check the path."
                )
            create_log(path)
        check_application(path)
        return cls(path, read_only=read_only, clock=clock)

    @classmethod
    def create(cls, folder: Path, *, ancestors: Sequence[str], clock: Callable[[], int] = now_us) -> "EmbeddedEventLog":
        """Create a log into which the records of others are restored, see `ancestry`, and open it.

        Raises: InvalidInput; StoreNotOurs when there is a log; as `open`.
        """
        check_ancestors(ancestors)
        path = Path(os.path.abspath(folder)) / LOG_FILE
        if exists(path) or not create_log(path, ancestors):
            raise StoreNotOurs(
                f"there is an event log in {path.parent}, and records are restored into a new one only. "
                "Nothing was changed; choose another folder."
            )
        return cls.open(folder, create=False, clock=clock)

    @property
    def generation(self) -> str:
        return self._known_identity.generation

    @property
    def ancestors(self) -> tuple[str, ...]:
        return self._known_identity.ancestors

    @property
    def _known_identity(self) -> LogIdentity:
        assert self._identity is not None
        return self._identity

    @property
    def partitions(self) -> int:
        return PARTITIONS

    def partition_of(self, key: str) -> int:
        del key  # there is only one
        return 0

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
        """As the port says. `timeout_s` bounds the wait for other writers, not for the disk."""
        check_append(records, PARTITIONS)
        if not records:
            return []
        rows = [(record.key, header_block.pack(record.headers), record.payload) for record in records]
        deadline = time.monotonic() + timeout_s
        with self._pool.borrowed() as connection:
            if self._read_only or not connection.is_writable:
                raise StoreReadOnly(f"the log {self._path} is read-only here: nothing was written. {GET_ACCESS}")
            first = self._write(connection.database, rows, deadline)
        self._seen = max(self._seen, first + len(rows) - 1)
        epoch = len(self.ancestors)
        return [Position(epoch, 0, offset) for offset in range(first, first + len(rows))]

    def read(self, partition: int, *, after: int, limit: int = RECORDS_PER_READ_MAX) -> Sequence[Record]:
        check_partition(partition, PARTITIONS)
        parameters = (min(after, OFFSETS_MAX), max(0, min(limit, RECORDS_PER_READ_MAX)))
        return self._query(lambda database: self._records(database.execute(_READ, parameters)))

    def end(self, partition: int) -> int:
        check_partition(partition, PARTITIONS)
        seen = self._seen  # before the query: another thread may append meanwhile
        last: tuple[int] = self._query(lambda database: database.execute(_LAST).fetchone())
        self._check_whole(last[0], seen)
        self._seen = max(self._seen, last[0])
        return last[0]

    def ends(self) -> Mapping[int, int]:
        return {partition: self.end(partition) for partition in range(PARTITIONS)}

    def close(self) -> None:
        self._pool.close()

    def _write(self, database: sqlite3.Connection, rows: Sequence[_Row], deadline: float) -> int:
        """Write `rows` in one transaction; returns the offset of the first."""
        try:
            self._begin(database, deadline)
            seen = self._seen
            (last,) = database.execute(_LAST).fetchone()
            self._check_whole(last, seen)
            time_us = self._clock()
            database.executemany(_INSERT, ((last + 1 + n, time_us, *row) for n, row in enumerate(rows)))
            self._commit(database)
        except sqlite3.Error as error:
            raise to_store_error(error, self._path, "nothing was written") from error
        finally:
            if database.in_transaction:
                with suppress(sqlite3.Error):  # the connection is closed next
                    database.rollback()
        return int(last) + 1

    def _begin(self, database: sqlite3.Connection, deadline: float) -> None:
        with fair_lock(str(self._path.with_name(LOCK_FILE)), deadline):
            retry_while_busy(partial(database.execute, "BEGIN IMMEDIATE"), deadline)

    def _check_whole(self, last: int, seen: int) -> None:
        """Raises: RecordsGone when the file has lost records since it was opened."""
        if last < seen:
            raise RecordsGone(
                f"{self._path} ends at offset {last} and went on to {seen} before: an older copy was put back while it "
                "was in use, and events that were acknowledged are missing. Nothing was written. Put the newer copy "
                "back, and open the log again.",
                partition=0,
            )

    def _commit(self, database: sqlite3.Connection) -> None:
        """SQLite reports a full disk before it writes the commit record; other errors may come after that."""
        try:
            database.execute("COMMIT")
        except sqlite3.Error as error:
            if primary_code(error) == sqlite3.SQLITE_FULL:
                raise
            raise DurabilityUnknown(
                f"{self._path} did not confirm a write ({describe_error(error)}); it may or may not be there. "
                "Check the disk, then send it again: an event that is sent twice counts once."
            ) from error

    def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `query`, repeated while another process changes a file that is read without locks."""
        deadline = time.monotonic() + READ_WAIT_S
        for _ in range(READ_TRIES_MAX):
            with self._pool.borrowed() as connection:
                try:
                    result = retry_while_busy(partial(query, connection.database), deadline)
                except sqlite3.Error as error:
                    if connection.is_current():
                        raise to_store_error(error, self._path, "nothing was read") from error
                else:
                    if connection.has_locks or connection.is_current():
                        return result
        raise StoreUnavailable(f"{self._path} kept changing during {READ_TRIES_MAX} attempts to read it. Try again.")

    def _records(self, rows: Iterable[tuple[int, int, str, bytes, bytes]]) -> list[Record]:
        epoch, unpack = len(self.ancestors), header_block.unpack
        records: list[Record] = []
        left_bytes = BYTES_PER_READ_MAX
        for offset, time_us, key, headers, payload in rows:
            left_bytes -= len(payload) + len(headers)
            if left_bytes < 0 and records:
                break
            try:
                records.append(Record(Position(epoch, 0, offset), time_us, key, payload, unpack(headers)))
            except ValueError as error:
                raise StoreUnavailable(f"{self._path} is damaged at offset {offset}: {error}. {RESTORE}") from None
        return records

    def _connect(self) -> LogConnection:
        connection = LogConnection.open(self._path, read_only=self._read_only)
        if self._identity not in (None, connection.log):
            connection.close()
            raise StoreMissing.removed(f"the log that was {self._path}")
        self._identity = connection.log
        return connection
