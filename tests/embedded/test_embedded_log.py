"""What only the embedded log does: its file, its clock, its disk."""

import contextlib
import multiprocessing
import os
import random
import resource
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import NewRecord
from headwater_schemas.errors import (
    DurabilityUnknown,
    FormatTooNew,
    HeadwaterError,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
)
from headwater_schemas.positions import BEFORE_FIRST

from tests.support.disks import can_mount, filled, read_only, small_disk, written_by_others

WAIT_S = 30.0
SMALL_DISK_BYTES = 2 * 1024 * 1024

_spawn = multiprocessing.get_context("spawn")


def append(log: EmbeddedEventLog, *payloads: bytes, timeout_s: float = WAIT_S) -> list[int]:
    return [p.offset for p in log.append([NewRecord("k", payload) for payload in payloads], timeout_s=timeout_s)]


def payloads(log: EmbeddedEventLog) -> list[bytes]:
    return [record.payload for record in log.read(0, after=BEFORE_FIRST)]


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def log(folder: Path) -> Iterator[EmbeddedEventLog]:
    with closing(EmbeddedEventLog.open(folder)) as log:
        yield log


def _in_a_process(action: Callable[..., None], *arguments: Any) -> None:
    process = _spawn.Process(target=action, args=arguments)
    process.start()
    process.join(WAIT_S)
    assert process.exitcode == 0


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


# Opening


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}], ids=["create=False", "read_only"])
@pytest.mark.parametrize("there", [True, False], ids=["empty folder", "no folder"])
def test_a_log_that_is_not_there_is_an_error_and_is_not_made(folder: Path, options: Any, there: bool) -> None:
    if there:
        folder.mkdir()

    with pytest.raises(StoreUnavailable, match=str(folder)):
        EmbeddedEventLog.open(folder, **options)

    assert folder.exists() == there
    assert not there or not contents(folder)


def _someone_elses_database(file: Path) -> None:
    execute(file, "PRAGMA journal_mode = WAL", "CREATE TABLE precious (x)", "INSERT INTO precious VALUES (1)")


@pytest.mark.parametrize(
    "make",
    [
        lambda file: file.write_bytes(b"not a database, but long enough to look like one" * 100),
        lambda file: file.write_bytes(b"hi"),
        _someone_elses_database,
    ],
    ids=["text", "two bytes", "other database"],
)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(folder: Path, make: Callable[[Path], None]) -> None:
    folder.mkdir()
    make(folder / "log.db")
    before = contents(folder)

    with pytest.raises(StoreNotOurs, match=r"log\.db"):
        EmbeddedEventLog.open(folder)

    assert contents(folder) == before


def test_a_folder_in_the_place_of_the_file_is_refused(folder: Path) -> None:
    (folder / "log.db").mkdir(parents=True)

    with pytest.raises(StoreNotOurs, match=r"log\.db"):
        EmbeddedEventLog.open(folder)


def test_a_file_in_the_place_of_the_folder_is_refused(folder: Path) -> None:
    folder.write_text("mine")

    with pytest.raises(StoreNotOurs, match="not a folder"):
        EmbeddedEventLog.open(folder)

    assert folder.read_text() == "mine"


def test_a_newer_format_is_refused_with_what_to_do_and_left_as_it_is(log: EmbeddedEventLog, folder: Path) -> None:
    append(log, b"kept")
    log.close()
    execute(folder / "log.db", "UPDATE meta SET value = '2' WHERE name = 'format'")
    before = contents(folder)

    with pytest.raises(FormatTooNew, match=r"log\.db has format 2; this headwater reads up to 1\. Upgrade headwater"):
        EmbeddedEventLog.open(folder)

    assert contents(folder) == before


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM meta WHERE name = 'generation'",
        "UPDATE meta SET value = 'many' WHERE name = 'format'",
        "DROP TABLE meta",
    ],
)
def test_a_log_without_its_facts_is_an_error_that_names_the_file(
    log: EmbeddedEventLog, folder: Path, damage: str
) -> None:
    log.close()
    execute(folder / "log.db", damage)

    with pytest.raises(StoreUnavailable, match=r"log\.db"):
        EmbeddedEventLog.open(folder)


def _read_everything(folder: Path) -> None:
    with closing(EmbeddedEventLog.open(folder)) as log:
        payloads(log)


@pytest.mark.parametrize("first_byte", [100, 4096, 8192])
def test_a_corrupt_log_is_an_error_that_names_the_file(log: EmbeddedEventLog, folder: Path, first_byte: int) -> None:
    for _ in range(10):
        append(log, b"x" * 10_000)
    log.close()
    file = folder / "log.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:first_byte] + random.Random(1).randbytes(len(whole) - first_byte))

    with pytest.raises(StoreUnavailable, match=rf"{file} is damaged"):
        _read_everything(folder)


def test_a_truncated_log_is_an_error_that_names_the_file(log: EmbeddedEventLog, folder: Path) -> None:
    append(log, *[b"x" * 1000] * 100)
    log.close()
    os.truncate(folder / "log.db", 8192)

    with pytest.raises(StoreUnavailable, match=r"log\.db is damaged"):
        _read_everything(folder)


def test_damaged_headers_are_an_error_that_names_the_offset(log: EmbeddedEventLog, folder: Path) -> None:
    append(log, b"a", b"b")
    execute(folder / "log.db", "UPDATE records SET headers = x'ff' WHERE offset = 1")

    with pytest.raises(StoreUnavailable, match="at offset 1"):
        payloads(log)


# Making


def _leave_an_empty_file(folder: Path) -> None:
    (folder / "log.db").touch()


def _leave_a_half_made_file(folder: Path) -> None:
    (folder / "log.db.new").write_bytes(b"SQLite format 3\0 and no more")
    (folder / "log.db.new-journal").write_bytes(b"half a journal")
    (folder / "log.lock").touch()


@pytest.mark.parametrize("leave", [_leave_an_empty_file, _leave_a_half_made_file])
def test_a_log_half_made_by_a_crash_is_made_by_the_next_open(folder: Path, leave: Callable[[Path], None]) -> None:
    folder.mkdir()
    leave(folder)

    with closing(EmbeddedEventLog.open(folder)) as log:
        append(log, b"kept")

    assert set(contents(folder)) == {"log.db", "log.lock"}


def test_a_lost_log_is_not_replaced_while_records_of_it_are_left(log: EmbeddedEventLog, folder: Path) -> None:
    append(log, b"kept")
    rest = contents(folder)["log.db-wal"]
    log.close()
    (folder / "log.db").unlink()
    (folder / "log.db-wal").write_bytes(rest)

    with pytest.raises(StoreUnavailable, match=r"log\.db is gone"):
        EmbeddedEventLog.open(folder)

    assert contents(folder)["log.db-wal"] == rest


def _report_generation(folder: Path, pipe: Any, everyone: Any) -> None:
    everyone.wait(WAIT_S)
    with closing(EmbeddedEventLog.open(folder)) as log:
        append(log, b"mine")
        pipe.put(log.generation)


def test_processes_that_make_a_log_at_once_make_one(folder: Path) -> None:
    count = 6
    queue, everyone = _spawn.Queue(), _spawn.Barrier(count)
    processes = [_spawn.Process(target=_report_generation, args=(folder, queue, everyone)) for _ in range(count)]
    for process in processes:
        process.start()
    generations = {queue.get(timeout=WAIT_S) for _ in processes}
    for process in processes:
        process.join(WAIT_S)

    with closing(EmbeddedEventLog.open(folder)) as log:
        assert generations == {log.generation}
        assert payloads(log) == [b"mine"] * count


@pytest.mark.parametrize("replaced", [False, True])
def test_appending_to_a_log_that_was_deleted_meanwhile_is_an_error(
    log: EmbeddedEventLog, folder: Path, replaced: bool
) -> None:
    append(log, b"a")
    shutil.rmtree(folder)
    if replaced:
        EmbeddedEventLog.open(folder).close()

    with pytest.raises(StoreUnavailable, match=r"log\.db"):
        append(log, b"b")


# Time


def test_append_time_stands_still_while_the_clock_is_behind(folder: Path) -> None:
    clock = iter([1_000, 400, 999, 1_001])
    with closing(EmbeddedEventLog.open(folder, clock=lambda: next(clock))) as log:
        for _ in range(4):
            append(log, b"")

        assert [record.time_us for record in log.read(0, after=BEFORE_FIRST)] == [1_000, 1_000, 1_000, 1_001]


def _append_with_a_jumping_clock(folder: Path, seed: int) -> None:
    jumps = random.Random(seed)
    clock = lambda: time.time_ns() // 1000 + jumps.randrange(-10_000_000, 10_000_000)  # noqa: E731
    with closing(EmbeddedEventLog.open(folder, clock=clock)) as log:
        for _ in range(10):
            append(log, b"", b"")


def test_append_time_never_goes_back_between_processes_whose_clocks_differ(folder: Path) -> None:
    processes = [_spawn.Process(target=_append_with_a_jumping_clock, args=(folder, seed)) for seed in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(WAIT_S)

    with closing(EmbeddedEventLog.open(folder)) as log:
        times = [record.time_us for record in log.read(0, after=BEFORE_FIRST)]
    assert len(times) == 80
    assert times == sorted(times)


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


# The disk


@contextlib.contextmanager
def _full_at(size: int, folder: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A folder on a disk with room for about `size` bytes, and what makes more room.

    Where nothing can be mounted SQLite itself is told to take no more.
    """
    if can_mount():
        with small_disk(SMALL_DISK_BYTES) as disk, contextlib.ExitStack() as filler:
            filler.enter_context(filled(disk, leave_bytes=size))
            yield disk, filler.close
        return
    connect: Any = sqlite3.connect

    def limited(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)
        database.execute(f"PRAGMA max_page_count = {max(1, size // 8192)}")
        return database

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", limited)

        def make_room() -> None:
            patch.undo()
            _fork_and_wait()  # connections are opened anew after a fork

        yield folder, make_room


def _fork_and_wait() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _append_until_refused(log: EmbeddedEventLog, written: list[bytes]) -> None:
    for number in range(1000):
        batch = [b"%d" % number * 2000, b"second"]
        append(log, *batch)
        written += batch


def test_a_full_disk_is_an_error_that_names_the_folder_and_what_was_there_stays(tmp_path: Path) -> None:
    written: list[bytes] = []
    with _full_at(SMALL_DISK_BYTES // 2, tmp_path) as (disk, make_room):
        log = EmbeddedEventLog.open(disk / "log")
        with pytest.raises(StoreUnavailable, match=rf"the disk of {disk / 'log'} is full: nothing was written"):
            _append_until_refused(log, written)
        with pytest.raises(StoreUnavailable, match="is full"):
            append(log, b"z" * 800_000)
        assert len(written) > 10
        assert payloads(log) == written

        make_room()

        assert append(log, b"after") == [len(written)]
        log.close()
        with closing(EmbeddedEventLog.open(disk / "log")) as again:
            assert payloads(again) == [*written, b"after"]


def test_a_log_that_cannot_be_made_for_lack_of_room_is_made_later(tmp_path: Path) -> None:
    with _full_at(0, tmp_path) as (disk, make_room):
        with pytest.raises(StoreUnavailable, match="is full"):
            EmbeddedEventLog.open(disk / "log")

        make_room()

        with closing(EmbeddedEventLog.open(disk / "log")) as log:
            assert append(log, b"a") == [0]


def _append_beyond_the_file_size_limit(folder: Path) -> None:
    """The kernel refuses writes beyond the limit: an error in the middle of a commit that is not a full disk."""
    log = EmbeddedEventLog.open(folder)
    append(log, b"first")
    size = (folder / "log.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 6000, resource.RLIM_INFINITY))
    with pytest.raises(DurabilityUnknown, match=r"log\.db did not confirm a write"):
        append(log, b"x" * 50_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert append(log, b"second") == [1]
    log.close()


def test_an_error_in_the_commit_itself_leaves_it_open_whether_it_counts(folder: Path) -> None:
    _in_a_process(_append_beyond_the_file_size_limit, folder)

    with closing(EmbeddedEventLog.open(folder)) as log:
        assert payloads(log) == [b"first", b"second"]


# Read-only


def test_a_log_opened_read_only_refuses_to_append(log: EmbeddedEventLog, folder: Path) -> None:
    append(log, b"kept")

    with closing(EmbeddedEventLog.open(folder, read_only=True)) as reader:
        with pytest.raises(StoreReadOnly, match="nothing was written"):
            append(reader, b"more")
        assert payloads(reader) == [b"kept"]
        append(log, b"more")
        assert payloads(reader) == [b"kept", b"more"]


def test_a_folder_that_cannot_be_written_can_be_read(log: EmbeddedEventLog, folder: Path) -> None:
    append(log, b"kept")
    log.close()

    with read_only(folder) as view, closing(EmbeddedEventLog.open(view)) as reader:
        assert payloads(reader) == [b"kept"]
        assert reader.end(0) == 0
        with pytest.raises(StoreReadOnly, match="nothing was written"):
            append(reader, b"more")

    assert set(contents(folder)) == {"log.db", "log.lock"}


def _append_and_die(folder: Path) -> None:
    log = EmbeddedEventLog.open(folder)
    append(log, b"in the write-ahead log")
    os._exit(0)


def test_what_a_killed_writer_left_can_be_read_where_nothing_can_be_written(folder: Path) -> None:
    _in_a_process(_append_and_die, folder)
    assert "log.db-wal" in contents(folder)

    with read_only(folder) as view, closing(EmbeddedEventLog.open(view)) as reader:
        assert payloads(reader) == [b"in the write-ahead log"]


def _append_and_close(folder: Path, *given: bytes) -> None:
    with closing(EmbeddedEventLog.open(folder)) as log:
        append(log, *given)


def test_a_reader_without_write_access_follows_what_others_write(folder: Path) -> None:
    _in_a_process(_append_and_close, folder, b"a")
    with read_only(folder) as view, closing(EmbeddedEventLog.open(view)) as reader:
        assert payloads(reader) == [b"a"]
        with written_by_others(folder, view):
            _in_a_process(_append_and_close, folder, b"b")
        assert payloads(reader) == [b"a", b"b"]
        with written_by_others(folder, view):
            _in_a_process(_append_and_die, folder)
        assert payloads(reader) == [b"a", b"b", b"in the write-ahead log"]
        with written_by_others(folder, view):
            _in_a_process(_append_and_close, folder, b"c")
        assert payloads(reader) == [b"a", b"b", b"in the write-ahead log", b"c"]


def test_a_log_cannot_be_made_where_nothing_can_be_written(folder: Path) -> None:
    folder.mkdir()

    with read_only(folder) as view, pytest.raises(StoreReadOnly, match=str(view)):
        EmbeddedEventLog.open(view)


def test_every_refusal_is_one_of_our_errors_and_says_what_to_do(folder: Path) -> None:
    folder.mkdir()
    (folder / "log.db").write_bytes(b"something else" * 100)

    with pytest.raises(HeadwaterError, match=r"left as it is\. Use another folder"):
        EmbeddedEventLog.open(folder)
