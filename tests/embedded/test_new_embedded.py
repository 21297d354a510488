"""A log that is filled before anybody opens it: whole and durable at the end of the block, or not there."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.log_file import LOG_FILE
from headwater_eventlog.new_embedded import NewEmbeddedLog, PackedRecord, filled
from headwater_eventlog.port import NewRecord, Record, identity_of
from headwater_schemas import header_block
from headwater_schemas.errors import StoreFull
from headwater_schemas.positions import BEFORE_FIRST, Position

WAIT_S = 10.0
ANCESTORS = ("0f" * 16, "5a" * 16)
TIME_US = 1_700_000_000_000_000


def new_records(count: int) -> list[NewRecord]:
    return [NewRecord(f"k{n % 3}", b"%d" % n, (("n", b"%d" % n), ("n", b""))) for n in range(count)]


def packed(records: Sequence[NewRecord]) -> list[PackedRecord]:
    return [(one.key, header_block.pack(one.headers), one.payload) for one in records]


def records_in(folder: Path) -> list[Record]:
    with closing(EmbeddedEventLog.open(folder, create=False)) as log:
        found: list[Record] = []
        while page := log.read(0, after=found[-1].position.offset if found else BEFORE_FIRST):
            found += page
        return found


def test_a_filled_log_has_the_records_in_their_order(tmp_path: Path) -> None:
    appended = new_records(700)

    with filled(tmp_path / "log", ancestors=ANCESTORS, clock=lambda: TIME_US) as log:
        log.append_packed(packed(appended[:600]))
        log.append_packed(packed(appended[600:]))
        log.append_packed([])
        identity = log.identity

    found = records_in(tmp_path / "log")
    assert [record.position for record in found] == [Position(2, 0, n) for n in range(700)]
    assert [NewRecord(record.key, record.payload, record.headers) for record in found] == appended
    assert {record.time_us for record in found} == {TIME_US}
    with closing(EmbeddedEventLog.open(tmp_path / "log", create=False)) as opened:
        assert identity_of(opened) == identity


def test_a_filled_log_is_written_on_as_any_other(tmp_path: Path) -> None:
    with filled(tmp_path / "log", ancestors=()) as log:
        log.append_packed(packed(new_records(3)))

    with closing(EmbeddedEventLog.open(tmp_path / "log", create=False)) as log:
        assert log.append(new_records(1), timeout_s=WAIT_S) == [Position(0, 0, 3)]
        assert log.end(0) == 3
        assert (tmp_path / "log" / f"{LOG_FILE}-wal").exists()  # what is new is durable with each append again
    assert len(records_in(tmp_path / "log")) == 4


def fill_and_be_interrupted(log: NewEmbeddedLog) -> None:
    log.append_packed(packed(new_records(3)))
    raise KeyboardInterrupt


def test_nothing_is_left_of_a_log_whose_filling_was_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), filled(tmp_path / "log", ancestors=()) as log:
        fill_and_be_interrupted(log)

    assert not (tmp_path / "log").exists()


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    with filled(tmp_path / "log", ancestors=()) as log:
        log.append_packed(packed(new_records(9)))
    (tmp_path / "log" / LOG_FILE).write_bytes(b"half a log")

    with filled(tmp_path / "log", ancestors=()) as log:
        log.append_packed(packed(new_records(2)))

    assert len(records_in(tmp_path / "log")) == 2


def test_all_of_the_file_is_on_the_disk_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int]] = []
    sync = os.fsync

    def record(descriptor: int) -> None:
        found = os.fstat(descriptor)
        synced.append((found.st_ino, found.st_size))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)

    with filled(tmp_path / "log", ancestors=()) as log:
        log.append_packed(packed(new_records(900)))

    found = os.stat(tmp_path / "log" / LOG_FILE)
    assert synced[-1] == (found.st_ino, found.st_size)
    assert [path.name for path in (tmp_path / "log").glob(f"{LOG_FILE}-*")] == []  # nothing beside it is needed


def test_a_full_disk_is_named_and_gets_its_bytes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect: Any = sqlite3.connect

    def limited(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 20")
        return database

    monkeypatch.setattr(sqlite3, "connect", limited)

    with (
        pytest.raises(StoreFull, match="is full: the log was not finished"),
        filled(tmp_path / "log", ancestors=()) as log,
    ):
        log.append_packed(packed(new_records(4000)))

    assert not (tmp_path / "log").exists()
