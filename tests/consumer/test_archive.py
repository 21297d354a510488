"""The records of a log in an archive: exact, whole, each once, and readable without headwater."""

import glob
import io
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastavro
import pytest
from headwater_blobs.file_places import FolderPlace
from headwater_consumer.archive import avro_blocks, containers
from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.archived_log import ArchivedLog
from headwater_consumer.archive.archiver import Archived, archive_log
from headwater_consumer.archive.checking import Checked, check_archive
from headwater_consumer.writing.log_check import record_hash
from headwater_consumer.writing.log_copy import LogCopy
from headwater_consumer.writing.restore import ancestors_after
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.port import EventLog, NewRecord, Record, RecordsGone
from headwater_schemas.errors import (
    BlobCorrupt,
    FormatTooNew,
    StoreFull,
    StoreMissing,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
)
from headwater_schemas.positions import BEFORE_FIRST, Position

from tests.consumer.inspection import Databases, fingerprint_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import EMBEDDED
from tests.support.projections import project_all
from tests.support.servers import fresh_topic_name, servers

DIGITS, MODEL = "team/vision/digits", "team/vision/model"
WAIT_S = 30.0
ODD = (NewRecord("k\N{SNOWMAN}", b"", (("h", b""), ("h", b"\xff\x00"), ("", b"x"))), NewRecord("", b"\x00no event"))


class FailingPlace(FolderPlace):
    """Fails once so many files were put."""

    def __init__(self, folder: Path, puts: int) -> None:
        super().__init__(folder)
        self._left = puts

    def put(self, path: str, content: bytes) -> None:
        if not self._left:
            raise StoreFull("the disk is full")
        self._left -= 1
        super().put(path, content)


def write_everything(history: History) -> None:
    for n in range(4):
        history.commit(DIGITS, {f"{n}": b"1"}, tags=("raw",))
        history.commit(MODEL, {f"{n}": b"1"}, type="model")
    history.log.append(ODD, timeout_s=WAIT_S)


def archive(log: EventLog, folder: Path, place: FolderPlace | None = None) -> Archived:
    kept = Archive.open(place or FolderPlace(folder), create=True)
    kept.put_schemas()
    return archive_log(log, kept, progress=lambda done, total: None)


def manifests_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(Path(path).read_bytes()) for path in sorted(glob.glob(f"{folder}/records/*/*/*.json"))]


def records_in(folder: Path) -> list[Record]:
    """As anybody reads them: by the manifests, with a library for Avro."""
    found: dict[tuple[int, int], Record] = {}
    for manifest in manifests_in(folder):
        content = (folder / manifest["file"]).read_bytes()
        assert (sha256(content).hexdigest(), len(content)) == (manifest["sha256"], manifest["size"])
        with open(folder / manifest["file"], "rb") as file:
            for read in fastavro.reader(file):
                position = Position(len(manifest["ancestors"]), manifest["partition"], read["offset"])
                headers = tuple((header["name"], header["value"]) for header in read["headers"])
                record = Record(position, read["time_us"], read["key"], read["payload"], headers)
                assert found.setdefault((position.partition, position.offset), record) == record
    return [record for _, record in sorted(found.items())]


def records_of(log: EventLog) -> list[Record]:
    return [record for partition in range(log.partitions) for record in _records(log, partition)]


def _records(log: EventLog, partition: int) -> Iterator[Record]:
    after = BEFORE_FIRST
    while found := log.read(partition, after=after):
        yield from found
        after = found[-1].position.offset


def is_complete(folder: Path) -> bool:
    """Whether no offsets are missing between the files."""
    covered: dict[int, int] = {}
    for manifest in manifests_in(folder):
        if manifest["after"] > covered.get(manifest["partition"], BEFORE_FIRST):
            return False
        covered[manifest["partition"]] = manifest["last_offset"]
    return True


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "RECORDS_PER_FILE_MAX", 4)


def test_an_archive_has_the_records_as_the_log_has_them(history: History, tmp_path: Path) -> None:
    write_everything(history)

    archived = archive(history.log, tmp_path / "archive")

    expected = records_of(history.log)
    assert records_in(tmp_path / "archive") == expected
    assert (archived.records, archived.files) == (len(expected), len(manifests_in(tmp_path / "archive")))
    assert archived.files > history.log.partitions


def test_a_manifest_says_what_is_in_its_file(history: History, tmp_path: Path) -> None:
    write_everything(history)

    archive(history.log, tmp_path / "archive")

    last = manifests_in(tmp_path / "archive")[0]
    records = [r for r in records_of(history.log) if r.position.partition == last["partition"]][: last["records"]]
    assert last == {
        "format": 1,
        "generation": history.log.generation,
        "ancestors": [],
        "partitions": history.log.partitions,
        "partition": records[0].position.partition,
        "after": -1,
        "first_offset": records[0].position.offset,
        "last_offset": records[-1].position.offset,
        "first_time_us": records[0].time_us,
        "last_time_us": records[-1].time_us,
        "records": len(records),
        "file": last["file"],
        "size": last["size"],
        "sha256": last["sha256"],
        "last_record": record_hash(records[-1]).hex(),
    }


def test_archiving_again_adds_what_is_new_and_changes_no_file(history: History, tmp_path: Path) -> None:
    write_everything(history)
    archive(history.log, tmp_path / "archive")
    before = {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()}

    assert archive(history.log, tmp_path / "archive") == Archived()
    history.commit(DIGITS, {"b": b"2"})
    added = archive(history.log, tmp_path / "archive")

    assert 0 < added.records < len(records_of(history.log))
    assert records_in(tmp_path / "archive") == records_of(history.log)
    assert {path: path.read_bytes() for path in before} == before


def test_an_archiver_that_fails_anywhere_goes_on_where_it_was(tmp_path: Path) -> None:
    log = MemoryLog(2)
    log.append([NewRecord(f"k{n}", b"x" * n) for n in range(30)])
    (whole := tmp_path / "whole").mkdir()
    archive(log, whole)
    puts = sum(1 for path in whole.rglob("*") if path.is_file())

    for fails_after in range(puts):
        folder = tmp_path / str(fails_after)
        with pytest.raises(StoreFull):
            archive(log, folder, FailingPlace(folder, fails_after))
        for manifest in manifests_in(folder):
            assert (folder / manifest["file"]).is_file()
        archive(log, folder)
        assert records_in(folder) == records_of(log)
        assert is_complete(folder)


def test_two_archivers_at_once_do_no_harm(history: History, tmp_path: Path) -> None:
    """Each begins when the log has another length, so their files overlap."""
    folder, others = tmp_path / "archive", []
    for n in range(4):
        history.commit(DIGITS, {f"{n}": b"1"})
        others.append(threading.Thread(target=archive, args=(history.log, folder)))
        others[-1].start()
    for other in others:
        other.join()

    archive(history.log, folder)

    assert records_in(folder) == records_of(history.log)
    assert is_complete(folder)


def test_offsets_that_the_log_does_not_have_are_no_gap(tmp_path: Path) -> None:
    log = MemoryLog(first_offset=7)
    log.append([NewRecord("k", b"") for _ in range(20)])

    archive(log, tmp_path)

    assert records_in(tmp_path) == records_of(log)
    assert is_complete(tmp_path)


def test_a_file_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "BYTES_PER_FILE_MAX", 1000)
    log = MemoryLog()
    log.append([NewRecord("k", b"x" * 600) for _ in range(4)])

    archive(log, tmp_path)

    assert [manifest["records"] for manifest in manifests_in(tmp_path)] == [2, 2]


def test_a_log_that_lost_what_was_archived_is_not_archived_on(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([NewRecord("k", b"one") for _ in range(3)])
    archive(log, tmp_path)
    older, other = MemoryLog(), MemoryLog()
    older.append([NewRecord("k", b"one")])
    other.append([NewRecord("k", b"other") for _ in range(9)])

    with pytest.raises(RecordsGone, match=r"ends at offset 2, and was archived up to offset 4: an older copy"):
        archive(older, tmp_path)
    with pytest.raises(RecordsGone, match="has another record at offset 4 than the one that was archived"):
        archive(other, tmp_path)
    assert records_in(tmp_path) == records_of(log)


def test_several_logs_share_an_archive(tmp_path: Path) -> None:
    for generation in ("first", "second"):
        log = MemoryLog(generation=generation)
        log.append([NewRecord("k", generation.encode())])
        archive(log, tmp_path)

    assert Archive.open(FolderPlace(tmp_path), create=False).generations() == ["first", "second"]


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        ({"a/b.txt": b"mine"}, StoreNotOurs, "holds 'a/b.txt' and is no archive; nothing was changed"),
        ({"headwater-archive.json": b"[]"}, StoreNotOurs, "is not the marker of an archive"),
        (
            {"headwater-archive.json": b'{"kind": "headwater archive", "format": 2}'},
            FormatTooNew,
            r"has format 2; this release reads up to 1\. Upgrade",
        ),
    ],
)
def test_a_place_with_something_else_is_left_alone(
    files: dict[str, bytes], error: type[Exception], says: str, tmp_path: Path
) -> None:
    place = FolderPlace(tmp_path)
    for path, content in files.items():
        place.put(path, content)

    with pytest.raises(error, match=says):
        Archive.open(place, create=True)

    assert {path: place.get(path) for path in place.paths()} == files


def test_there_is_no_archive_where_nothing_was_archived(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match="there is no archive at file:///"):
        Archive.open(FolderPlace(tmp_path), create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [b"", b"{}", b"nonsense", b'{"format": 1}'])
def test_a_damaged_manifest_is_named(change: bytes, tmp_path: Path) -> None:
    with closing(EmbeddedEventLog.open(tmp_path / "log")) as log:
        log.append(ODD, timeout_s=WAIT_S)
        archive(log, tmp_path / "archive")
        (path,) = glob.glob(f"{tmp_path}/archive/records/*/*/*.json")
        Path(path).write_bytes(change)

        with pytest.raises(BlobCorrupt, match=f"records/.*/{Path(path).name} in .* is damaged"):
            archive(log, tmp_path / "archive")


def test_a_file_has_the_bytes_that_a_library_for_avro_writes(history: History, tmp_path: Path) -> None:
    write_everything(history)
    large = NewRecord("k" * 300, b"x" * 90_000, (("n" * 200, b"v" * 5000),))  # with lengths of several bytes
    history.log.append([large, NewRecord("k", b"")], timeout_s=WAIT_S)
    archive(history.log, tmp_path / "archive")

    paths = list(tmp_path.glob("archive/records/*/*/*.avro"))
    assert paths
    for path in paths:
        content = path.read_bytes()
        reader = fastavro.reader(io.BytesIO(content))
        records = list(reader)
        assert unpacked(content) == unpacked(as_written_by_the_library(records, reader.writer_schema, content[-16:]))


def as_written_by_the_library(records: list[Any], schema: Any, marker: bytes) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, schema, records, codec="deflate", sync_interval=avro_blocks.BLOCK_BYTES, sync_marker=marker)
    return out.getvalue()


def unpacked(content: bytes) -> list[tuple[int, bytes]]:
    """The number of records and the bytes of each block; how well they are compressed is the library's business."""
    return [(block.num_records, block.bytes_.getvalue()) for block in fastavro.block_reader(io.BytesIO(content))]


# --- read as a log


def opened(folder: Path, generation: str | None = None) -> ArchivedLog:
    return ArchivedLog.open(Archive.open(FolderPlace(folder), create=False), generation)


def test_an_archive_is_read_as_the_log_that_it_is_of(history: History, tmp_path: Path) -> None:
    write_everything(history)
    archive(history.log, tmp_path / "archive")

    log = opened(tmp_path / "archive")

    assert (log.generation, log.ancestors, log.partitions) == (history.log.generation, (), history.log.partitions)
    assert log.ends() == history.log.ends()
    assert records_of(log) == records_of(history.log)
    for partition in range(log.partitions):
        for after in range(-1, log.end(partition) + 1):
            assert log.read(partition, after=after, limit=3) == list(history.log.read(partition, after=after, limit=3))


def test_records_in_several_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog()
    log.append([NewRecord("k", b"%d" % n) for n in range(10)])
    archive(log, tmp_path)
    other = tmp_path / "other"
    monkeypatch.setattr(containers, "RECORDS_PER_FILE_MAX", 6)
    archive(log, other)
    shutil.copytree(other, tmp_path, dirs_exist_ok=True)

    assert records_of(opened(tmp_path)) == records_of(log)
    assert len(manifests_in(tmp_path)) == 5
    assert archive(log, tmp_path) == Archived()


def test_restoring_an_archive_gives_the_same_projection(
    history: History, mode: str, databases: Databases, tmp_path: Path
) -> None:
    write_everything(history)
    history.project()
    archive(history.log, tmp_path / "archive")
    source = opened(tmp_path / "archive")
    told: list[int] = []

    with closing(new_log(mode, source, tmp_path)) as log, databases.empty() as database:
        assert LogCopy(source, log).run(timeout_s=WAIT_S, watch=told.append) == source.records
        project_all(log, Projector(log, database))
        assert fingerprint_of(database) == fingerprint_of(history.database)

    assert sum(told) == sum(end + 1 for end in source.ends().values())


def new_log(mode: str, source: EventLog, folder: Path) -> EventLog:
    ancestors = ancestors_after(source)
    if mode == EMBEDDED:
        return EmbeddedEventLog.create(folder / "new", ancestors=ancestors)
    settings = KafkaSettings(servers().kafka, fresh_topic_name(), partitions=source.partitions)
    return KafkaEventLog.create(settings, ancestors=ancestors, timeout_s=WAIT_S)


@pytest.mark.parametrize("files", [("0",), ("1",), ("0", "1"), ("0", "2")])
def test_files_that_are_missing_before_others_are_named(files: tuple[str, ...], tmp_path: Path) -> None:
    log = MemoryLog(first_offset=5)
    log.append([NewRecord("k", b"") for _ in range(16)])
    archive(log, tmp_path)
    manifests = manifests_in(tmp_path)
    ranges = [f"{m['after'] + 1} to {m['last_offset']}" for m in manifests]
    for n in map(int, files):
        (path,) = glob.glob(f"{tmp_path}/records/*/*/{manifests[n]['first_offset']:013}-*.json")
        Path(path).unlink()
    if files == ("0", "1"):
        ranges = [f"0 to {manifests[1]['last_offset']}"] * 2

    with pytest.raises(StoreUnavailable) as caught:
        opened(tmp_path)

    for n in map(int, files):
        assert f"offsets {ranges[n]} of partition 0" in str(caught.value)
    assert archive(log, tmp_path).records == 4 * len(files)
    assert records_of(opened(tmp_path)) == records_of(log)


def test_an_archive_takes_no_records(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([NewRecord("k", b"")])
    archive(log, tmp_path)

    with pytest.raises(StoreReadOnly, match="1 records cannot be appended to the archive file:///"):
        opened(tmp_path).append([NewRecord("k", b"")], timeout_s=WAIT_S)


def test_a_file_with_other_records_than_its_manifest_says_is_refused(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([NewRecord("k", b"%d" % n) for n in range(4)])
    archive(log, tmp_path)
    (path,) = glob.glob(f"{tmp_path}/records/*/*/*.json")
    Path(path).write_text(json.dumps(manifests_in(tmp_path)[0] | {"last_record": "00" * 16}))

    with pytest.raises(BlobCorrupt, match="has other records than its manifest says"):
        opened(tmp_path).read(0, after=BEFORE_FIRST)


def test_what_a_later_release_adds_to_a_manifest_is_passed_over(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([NewRecord("k", b"")])
    archive(log, tmp_path)
    (path,) = glob.glob(f"{tmp_path}/records/*/*/*.json")
    Path(path).write_text(json.dumps(manifests_in(tmp_path)[0] | {"added": 1}))
    assert records_of(opened(tmp_path)) == records_of(log)

    Path(path).write_text(json.dumps(manifests_in(tmp_path)[0] | {"format": 2}))
    with pytest.raises(FormatTooNew, match=r"has format 2; this release reads up to 1\. Upgrade"):
        opened(tmp_path)


# --- checked


def check(log: EventLog, folder: Path) -> Checked:
    kept = Archive.open(FolderPlace(folder), create=False)
    return check_archive(log, kept, progress=lambda done, total: None)


def test_a_whole_archive_is_found_good_and_says_how_far_behind_it_is(history: History, tmp_path: Path) -> None:
    write_everything(history)
    archived = archive(history.log, tmp_path / "archive")
    assert check(history.log, tmp_path / "archive") == Checked(archived.files, archived.records)

    history.log.append(ODD, timeout_s=WAIT_S)

    assert check(history.log, tmp_path / "archive") == Checked(archived.files, archived.records, behind=len(ODD))


def test_a_check_names_missing_files_and_records_that_the_log_does_not_have(tmp_path: Path) -> None:
    log, other, older = MemoryLog(), MemoryLog(), MemoryLog()
    log.append([NewRecord("k", b"%d" % n) for n in range(12)])
    other.append([NewRecord("k", b"%d" % (n // 8)) for n in range(12)])
    older.append([NewRecord("k", b"%d" % n) for n in range(4)])
    archive(log, tmp_path)
    first, second, _ = manifests_in(tmp_path)

    assert len(check(other, tmp_path).problems) == 3
    problems = check(older, tmp_path).problems
    assert len(problems) == 2
    assert f"another record than the log has at offset {second['last_offset']} of partition 0" in problems[0]
    (path,) = glob.glob(f"{tmp_path}/records/*/*/{second['first_offset']:013}-*.json")
    Path(path).unlink()
    assert check(log, tmp_path).problems == [
        f"offsets {first['last_offset'] + 1} to {second['last_offset']} of partition 0 are missing"
    ]
