"""What the embedded log does on a disk that is full, fails or cannot be written."""

import contextlib
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_schemas.errors import DurabilityUnknown, StoreReadOnly, StoreUnavailable

from tests.embedded.embedded_logs import WAIT_S, append, contents, payloads
from tests.embedded.embedded_logs import folder as folder
from tests.embedded.embedded_logs import opened_log as opened_log
from tests.support.disks import can_mount, filled, read_only, small_disk, written_by_others
from tests.support.warm_processes import warm

SMALL_DISK_BYTES = 2 * 1024 * 1024


def _in_a_process(action: Callable[..., None], *arguments: Any) -> None:
    process = warm.Process(target=action, args=arguments)
    process.start()
    process.join(WAIT_S)
    assert process.exitcode == 0


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
