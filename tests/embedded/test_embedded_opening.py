"""How an embedded log is made and opened, and what is refused in its place."""

import os
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import RecordsGone
from headwater_schemas.errors import FormatTooNew, HeadwaterError, StoreNotOurs, StoreUnavailable

from tests.embedded.embedded_logs import WAIT_S, append, contents, execute, payloads
from tests.embedded.embedded_logs import folder as folder
from tests.embedded.embedded_logs import opened_log as opened_log
from tests.support.warm_processes import warm

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


def test_every_refusal_is_one_of_our_errors_and_says_what_to_do(folder: Path) -> None:
    folder.mkdir()
    (folder / "log.db").write_bytes(b"something else" * 100)

    with pytest.raises(HeadwaterError, match=r"Nothing was changed\. Use another folder"):
        EmbeddedEventLog.open(folder)


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

    with pytest.raises(StoreUnavailable, match=r"log\.db is missing"):
        EmbeddedEventLog.open(folder)

    assert contents(folder)["log.db-wal"] == rest


def _report_generation(folder: Path, pipe: Any, everyone: Any) -> None:
    everyone.wait(WAIT_S)
    with closing(EmbeddedEventLog.open(folder)) as log:
        append(log, b"mine")
        pipe.put(log.generation)


def test_processes_that_make_a_log_at_once_make_one(folder: Path) -> None:
    count = 6
    queue, everyone = warm.Queue(), warm.Barrier(count)
    processes = [warm.Process(target=_report_generation, args=(folder, queue, everyone)) for _ in range(count)]
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


def test_an_older_copy_put_back_under_an_open_log_is_noticed_before_anything_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with closing(EmbeddedEventLog.open(folder)) as log:
        append(log, b"1")
    shutil.copy(folder / "log.db", tmp_path / "older.db")

    with closing(EmbeddedEventLog.open(folder)) as writer, closing(EmbeddedEventLog.open(folder)) as reader:
        append(writer, b"2", b"3")
        assert reader.end(0) == 2
        for file in folder.glob("log.db*"):
            file.unlink()
        shutil.copy(tmp_path / "older.db", folder / "log.db")

        for use in (lambda: append(writer, b"4"), lambda: reader.end(0)):
            with pytest.raises(RecordsGone, match=r"ends at offset 0 and went on to 2 before: an older copy .* newer"):
                use()
    with closing(EmbeddedEventLog.open(folder)) as log:
        assert payloads(log) == [b"1"]
