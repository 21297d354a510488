"""An embedded log that is filled before anybody opens it, with the records of another one.

Its file is written without a journal, so that every byte goes to the disk once, and becomes durable as a whole at the
end. One that was not finished is worth nothing.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from headwater_runtime.files import sync_file
from headwater_schemas.positions import BEFORE_FIRST

from headwater_eventlog.ancestry import check_ancestors
from headwater_eventlog.log_file import LOG_FILE, LogConnection, create_log, os_failure, to_store_error
from headwater_eventlog.port import LogIdentity

_ROWS_AT_ONCE = 128  # by one statement, in two thirds of the time; each number of rows below it has its own
_OUTCOME = "the log was not finished"
_UNSAFE = ("PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")
_SAFE = ("PRAGMA journal_mode = WAL",)  # which the file remembers

PackedRecord = tuple[str, bytes, bytes]  # key, headers as `header_block` packs them, payload


class NewEmbeddedLog:
    """A log to which one process appends, in a block of `filled`. For one thread."""

    def __init__(self, database: sqlite3.Connection, path: Path, log: LogIdentity, clock: Callable[[], int]) -> None:
        self.identity = log
        self._database, self._path, self._clock = database, path, clock
        self._last = BEFORE_FIRST

    def append_packed(self, records: Sequence[PackedRecord]) -> None:
        """Append records that a log had, so that they need no check; durable once the block has ended.

        Raises: StoreUnavailable, StoreFull, after which nothing can be appended.
        """
        time_us = self._clock()
        rows = [(offset, time_us, *record) for offset, record in enumerate(records, self._last + 1)]
        with _errors(self._path):
            self._database.execute("BEGIN")
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                some = rows[start : start + _ROWS_AT_ONCE]
                self._database.execute(_insert(len(some)), [value for row in some for value in row])
            self._database.execute("COMMIT")
        self._last += len(rows)


@contextmanager
def filled(
    folder: Path, *, ancestors: Sequence[str], clock: Callable[[], int] = lambda: time.time_ns() // 1000
) -> Iterator[NewEmbeddedLog]:
    """A new log in `folder`, to be filled in a block; it is whole and durable once that has ended without an error.

    Whatever is in `folder` is deleted first, and all of it where the block fails. `clock` returns microseconds since
    1970. Raises: InvalidInput; StoreUnavailable, StoreReadOnly, StoreFull.
    """
    check_ancestors(ancestors)
    shutil.rmtree(folder, ignore_errors=True)
    path = folder.absolute() / LOG_FILE
    try:
        create_log(path, ancestors)
        connection = LogConnection.open(path, read_only=False)
        try:
            with _errors(path):
                _execute(connection.database, _UNSAFE)
            yield NewEmbeddedLog(connection.database, path, connection.log, clock)
            with _errors(path):
                _execute(connection.database, _SAFE)
        finally:
            connection.close()
        with _errors(path):
            sync_file(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@lru_cache(_ROWS_AT_ONCE)
def _insert(rows: int) -> str:
    values = ", ".join(["(?, ?, ?, ?, ?)"] * rows)
    return f"INSERT INTO records (offset, time_us, key, headers, payload) VALUES {values}"  # noqa: S608 - places


def _execute(database: sqlite3.Connection, pragmas: Sequence[str]) -> None:
    for pragma in pragmas:
        database.execute(pragma).fetchall()


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise to_store_error(error, path, _OUTCOME) from error
    except OSError as error:
        raise os_failure(error, path.parent) from error
