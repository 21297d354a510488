"""An archive that is restored into a folder without an object for each record gives what any restore gives."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_blobs.file_places import FolderPlace
from headwater_consumer.archive import containers, packed_restore
from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.archived_log import ArchivedLog
from headwater_consumer.archive.archiver import archive_log
from headwater_consumer.archive.packed_restore import restore_archive
from headwater_consumer.writing.restore import ancestors_after
from headwater_eventlog.ancestry import ancestry_record
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.new_embedded import filled
from headwater_eventlog.port import EventLog, NewRecord
from headwater_schemas.errors import InvalidInput
from headwater_schemas.positions import BEFORE_FIRST

from tests.support.restoring import restore

WAIT_S = 30.0
TIMES_US = (5_000_000, 9_000_000, 7_000_000, 9_000_001)  # a clock that goes back


def appended(n: int) -> list[NewRecord]:
    named = ("ce_id", b"%d" % n), ("x" * n, b"y"), ("x" * n, b"")  # a name may come twice
    return [NewRecord(f"k{n}", b"%d" * n, named), NewRecord("", b"", ())]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    times = iter(TIMES_US)
    with closing(EmbeddedEventLog.open(tmp_path / "log", clock=lambda: next(times))) as log:
        for n in range(len(TIMES_US) - 1):
            log.append(appended(n), timeout_s=WAIT_S)
        log.append([ancestry_record(("a" * 32,), 0), *appended(3)], timeout_s=WAIT_S)
        yield log


def archived(log: EventLog, folder: Path) -> ArchivedLog:
    archive = Archive.open(FolderPlace(folder), create=True)
    archive_log(log, archive, progress=lambda done, total: None)
    return ArchivedLog.open(archive, log.generation)


def in_several_files(log: EventLog, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ArchivedLog:
    """Some of which have the same records."""
    for size in (2, 3):
        monkeypatch.setattr(containers, "RECORDS_PER_FILE_MAX", size)
        archived(log, folder / str(size))
        shutil.copytree(folder / str(size), folder / "both", dirs_exist_ok=True)
    return archived(log, folder / "both")


def records_in(folder: Path) -> list[NewRecord]:
    with closing(EmbeddedEventLog.open(folder, create=False)) as log:
        return [NewRecord(one.key, one.payload, one.headers) for one in log.read(0, after=BEFORE_FIRST)]


def restored_by_both(source: ArchivedLog, folder: Path) -> tuple[list[NewRecord], list[NewRecord]]:
    ancestors, told = ancestors_after(source), list[int]()
    with filled(folder / "packed", ancestors=ancestors) as log:
        count = restore_archive(source, log, progress=told.append)
    with closing(EmbeddedEventLog.create(folder / "any", ancestors=ancestors)) as log:
        assert restore(source, log) == count == sum(told)
    return records_in(folder / "packed"), records_in(folder / "any")


def test_it_gives_the_same_records(log: EventLog, tmp_path: Path) -> None:
    packed, expected = restored_by_both(archived(log, tmp_path / "archive"), tmp_path)

    assert packed == expected
    assert len(packed) == 8  # all but the one that is no event


def test_records_in_several_files_are_restored_once(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = in_several_files(log, tmp_path / "archive", monkeypatch)
    assert source.records > len(log.read(0, after=BEFORE_FIRST))

    packed, expected = restored_by_both(source, tmp_path)

    assert packed == expected
    assert len(packed) == 8


@pytest.mark.parametrize("most", ["RECORDS_PER_APPEND_MAX", "BYTES_PER_APPEND"])
def test_an_append_is_bounded(most: str, log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = in_several_files(log, tmp_path / "archive", monkeypatch)
    monkeypatch.setattr(packed_restore, most, 4)
    told: list[int] = []

    with filled(tmp_path / "new", ancestors=ancestors_after(source)) as log:
        restore_archive(source, log, progress=told.append)

    assert len(told) > 1
    assert max(told) <= 4


def test_a_restored_log_is_restored_again(log: EventLog, tmp_path: Path) -> None:
    with closing(EmbeddedEventLog.create(tmp_path / "second", ancestors=(log.generation,))) as second:
        restore(log, second)
        second.append(appended(2), timeout_s=WAIT_S)
        source = archived(second, tmp_path / "archive")

    packed, expected = restored_by_both(source, tmp_path)

    assert packed == expected
    assert len(packed) == 10


def test_a_log_that_was_made_for_other_records_is_refused(log: EventLog, tmp_path: Path) -> None:
    source = archived(log, tmp_path / "archive")

    with (
        pytest.raises(InvalidInput, match="was not created for the records of log"),
        filled(tmp_path / "new", ancestors=("b" * 32,)) as target,
    ):
        restore_archive(source, target, progress=lambda records: None)

    assert not (tmp_path / "new").exists()
