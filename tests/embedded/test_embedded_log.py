"""What only the embedded log does: its file, its clock, its lock."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST

from tests.embedded.embedded_logs import WAIT_S, append, contents, payloads
from tests.embedded.embedded_logs import folder as folder
from tests.embedded.embedded_logs import opened_log as opened_log

# The file


def test_offsets_are_dense_from_zero(log: EmbeddedEventLog) -> None:
    assert append(log, b"a", b"b") + append(log, b"c") == [0, 1, 2]


def test_the_file_says_whose_it_is_and_is_written_ahead(log: EmbeddedEventLog, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "log.db")) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (0x48574C47,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        meta = dict(database.execute("SELECT name, value FROM meta"))

    assert meta == {
        "application": "headwater-eventlog",
        "format": "1",
        "generation": log.generation,
        "partitions": "1",
        "ancestors": "",
    }


def test_after_the_last_close_only_the_log_and_its_lock_are_left(folder: Path) -> None:
    logs = [EmbeddedEventLog.open(folder) for _ in range(3)]
    for log in logs:
        append(log, b"x" * 1000)
    for log in logs:
        log.close()

    assert set(contents(folder)) == {"log.db", "log.lock"}


def test_closing_a_log_that_was_only_read_tidies_up_too(log: EmbeddedEventLog, folder: Path) -> None:
    append(log, b"kept")
    log.close()

    with closing(EmbeddedEventLog.open(folder, read_only=True)) as reader:
        assert payloads(reader) == [b"kept"]

    assert set(contents(folder)) == {"log.db", "log.lock"}


def test_the_lock_file_can_be_deleted_at_any_time(log: EmbeddedEventLog, folder: Path) -> None:
    append(log, b"a")
    (folder / "log.lock").unlink()

    append(log, b"b")

    assert payloads(log) == [b"a", b"b"]


def test_a_name_with_characters_that_mean_something_in_urls_is_fine(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c#d%20é&mode=memory"

    with closing(EmbeddedEventLog.open(folder)) as log:
        append(log, b"kept")

    assert (folder / "log.db").exists()


def test_a_relative_folder_stays_the_same_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(EmbeddedEventLog.open(Path("log"))) as log:
        monkeypatch.chdir("/")
        append(log, b"kept")

    assert (tmp_path / "log" / "log.db").exists()


# Time


def test_append_time_is_what_the_clock_says_also_where_it_goes_back(folder: Path) -> None:
    clock = iter([1_000, 400, 999, 1_001])
    with closing(EmbeddedEventLog.open(folder, clock=lambda: next(clock))) as log:
        for _ in range(4):
            append(log, b"")

        assert [record.time_us for record in log.read(0, after=BEFORE_FIRST)] == [1_000, 400, 999, 1_001]


# Waiting


def test_an_append_gives_up_in_time_when_somebody_keeps_the_lock_and_writes_nothing(
    log: EmbeddedEventLog, folder: Path
) -> None:
    with closing(sqlite3.connect(folder / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="locked: nothing was written"):
            append(log, b"a", timeout_s=0.3)
        waited_s = time.monotonic() - started
        assert payloads(log) == []  # reading does not wait

    assert 0.3 <= waited_s < 3
    assert append(log, b"b") == [0]


def test_an_append_goes_on_as_soon_as_the_lock_is_free(log: EmbeddedEventLog, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "log.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        free = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
        started = time.monotonic()
        free.start()
        assert append(log, b"a") == [0]
        waited_s = time.monotonic() - started
        free.join()

    assert 0.3 <= waited_s < WAIT_S / 3


def test_a_clock_that_fails_leaves_nothing_behind_and_no_lock(folder: Path) -> None:
    def broken() -> int:
        raise KeyboardInterrupt  # as it may come at any point

    log = EmbeddedEventLog.open(folder, clock=broken)
    with pytest.raises(KeyboardInterrupt):
        append(log, b"a")

    with closing(EmbeddedEventLog.open(folder)) as other:
        assert append(other, b"b", timeout_s=1.0) == [0]
    log.close()
