"""Projectors whose next records were deleted from the topic: they go on from the archive, then from the topic."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from headwater_blobs.file_places import FolderPlace
from headwater_consumer.archive import containers
from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.archived_records import ArchivedRecords, Archives
from headwater_consumer.archive.archiver import archive_log
from headwater_consumer.archive.trimming import Trimmed, trim_log
from headwater_consumer.database import Database
from headwater_consumer.service.process import project_present
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import RecordsGone

from tests.projectors.harness import PARTITIONS, Deployment, running, until
from tests.support.projections import project_all

FOREVER_US = 2**62
BATCH = 5
NOTHING = "00" * 16


class TrimmedDeployment:
    """A deployment whose topic lacks its beginning."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self.deployment, self.folder = deployment, folder
        self.writer, deployment.log = deployment.log, self.log()

    def archive(self) -> Archive:
        return Archive.open(FolderPlace(self.folder), create=True)

    def log(self) -> KafkaEventLog:
        """Opened as by another process."""
        earlier = ArchivedRecords(lambda _: Archives([self.archive()]))
        return KafkaEventLog.open(self.deployment.settings, create=False, earlier=earlier)

    def trim(self) -> Trimmed:
        """As if everything were projected by others."""
        archive_log(self.writer, self.archive(), progress=lambda done, total: None)
        return trim_log(
            self.writer,
            self.archive(),
            self.writer.ends(),
            before_us=FOREVER_US,
            remember=lambda: None,
            progress=lambda done, total: None,
        )

    def manifest(self, partition: int, number: int) -> Path:
        return sorted(self.folder.glob(f"records/*/{partition:04}/*.json"))[number]


@pytest.fixture
def trimmed(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrimmedDeployment]:
    monkeypatch.setattr(containers, "RECORDS_PER_FILE_MAX", 7)
    found = TrimmedDeployment(deployment, tmp_path / "archive")
    with closing(found.writer):
        yield found


def test_a_projector_goes_on_from_the_archive_and_then_from_the_topic(trimmed: TrimmedDeployment) -> None:
    deployment = trimmed.deployment
    deployment.commit_everywhere(9)
    assert trimmed.trim().offsets == sum(trimmed.writer.ends().values()) > 40
    deployment.commit_everywhere(3, b"more")

    with running(deployment, deployment.service()):
        deployment.commit_everywhere(2, b"still more")
        until(deployment.is_up_to_date, deployment.positions)

    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


def test_a_topic_that_is_trimmed_while_it_is_projected_leaves_nothing_out(trimmed: TrimmedDeployment) -> None:
    deployment = trimmed.deployment
    with running(deployment, deployment.service()):
        for n in range(6):
            deployment.commit_everywhere(4, b"%d" % n)
            trimmed.trim()
        until(deployment.is_up_to_date, deployment.positions)

    assert deployment.fingerprint() == deployment.fingerprint_of_replay()
    assert trimmed.writer.beginnings() == trimmed.writer.ends()


def test_a_gap_in_the_archive_stops_its_partition_after_what_comes_before_and_no_other(
    trimmed: TrimmedDeployment, tmp_path: Path
) -> None:
    deployment = trimmed.deployment
    deployment.commit_everywhere(9)
    trimmed.trim()
    lost, following = trimmed.manifest(0, 1), trimmed.manifest(0, 2)
    kept = lost.rename(tmp_path / "kept.json")
    service = deployment.service(stopped_retry_s=0.2)

    with running(deployment, service):
        until(lambda: service.status.now.stopped and deployment.positions()[1] == deployment.log.end(1))
        before = deployment.positions()[0]
        (reason,) = service.status.now.stopped.values()
        kept.rename(lost)
        until(deployment.is_up_to_date, deployment.positions)

    first = int(lost.name.partition("-")[0])
    assert before == first - 1
    assert f"does not have offsets {first} to {int(following.name.partition('-')[0]) - 1} of partition 0" in reason
    assert trimmed.archive().url in reason
    assert deployment.fingerprint() == deployment.fingerprint_of_replay()


def test_a_damaged_file_of_the_archive_stops_its_partition_and_is_named(trimmed: TrimmedDeployment) -> None:
    deployment = trimmed.deployment
    deployment.commit_everywhere(9)
    trimmed.trim()
    (file,) = trimmed.folder.glob(f"records/*/0001/{trimmed.manifest(1, 2).stem}.*.avro")
    file.write_bytes(file.read_bytes()[:-1])
    service = deployment.service()

    with running(deployment, service):
        until(lambda: service.status.now.stopped and deployment.positions()[0] == deployment.log.end(0))
        (reason,) = service.status.now.stopped.values()

    assert f"{file.name} in {trimmed.archive().url} is damaged" in reason


def test_a_cursor_from_before_the_topic_is_compared_with_the_archive(trimmed: TrimmedDeployment) -> None:
    deployment = trimmed.deployment
    deployment.commit_everywhere(2)
    project_all(deployment.log, Projector(deployment.log, deployment.database))
    deployment.commit_everywhere(9)
    trimmed.trim()
    with closing(trimmed.log()) as log:
        Projector(log, deployment.database, records_per_batch=BATCH).project_batch(0)  # the same history
    with deployment.database.transaction() as connection:
        connection.driver.execute("UPDATE log_positions SET record = decode(%s, 'hex') WHERE partition = 1", [NOTHING])

    with closing(trimmed.log()) as log, pytest.raises(RecordsGone, match=r"has another record at offset \d+ than the"):
        project_present(log, deployment.database)
    service = deployment.service()
    with running(deployment, service):
        until(lambda: service.status.now.stopped and deployment.positions()[0] == deployment.log.end(0))
        (reason,) = service.status.now.stopped.values()
    assert "an older copy of the log was put in its place" in reason


def test_several_threads_read_what_was_deleted(trimmed: TrimmedDeployment, tmp_path: Path) -> None:
    """As a server does, whose requests and projector share one log."""
    deployment = trimmed.deployment
    deployment.commit_everywhere(9)
    trimmed.trim()
    deployment.commit_everywhere(1)
    projections = [Database.open_sqlite(tmp_path / f"{secrets.token_hex(4)}.db") for _ in range(3)]

    with ThreadPoolExecutor() as threads:
        counts = list(threads.map(lambda database: project_present(deployment.log, database), projections))

    for database in projections:
        database.close()
    assert counts == [sum(trimmed.writer.ends().values()) + PARTITIONS] * 3
