"""A broker whose disk was replaced by an older copy of it: the same topic, without its last records."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.projection.remote import RemoteProjection
from headwater_consumer.service.kafka_group import kafka_group
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.port import EventLog, NewRecord, RecordsGone
from headwater_schemas.events import RunStarted

from services.kafka import KafkaBroker
from tests.consumer.inspection import fingerprint_of
from tests.projectors.harness import WAIT_S, running_service, until
from tests.support.history import History, Writer
from tests.support.servers import fresh_topic_name, own_kafka
from tests.support.sessions import SESSION_S

pytestmark = pytest.mark.slow

PARTITIONS = 2


@contextmanager
def _stopped(broker: KafkaBroker) -> Iterator[Path]:
    """The folder with its data, while it does not run."""
    broker.stop()
    yield broker.folder / "data"
    broker.start()


@contextmanager
def _opened(settings: KafkaSettings) -> Iterator[KafkaEventLog]:
    with closing(KafkaEventLog.open(settings, create=True)) as log:
        yield log


def _runs_of(log: EventLog, partition: int) -> Iterator[str]:
    return (run for n in range(1000) if log.partition_of(f"run:{(run := f'team/vision/r{n}')}") == partition)


def test_a_topic_put_back_from_an_older_copy_stops_the_partitions_that_lost_records(tmp_path: Path) -> None:
    with own_kafka(tmp_path / "kafka") as broker, closing(Database.open_sqlite(tmp_path / "p.db")) as database:
        settings = KafkaSettings(broker.address, fresh_topic_name(), partitions=PARTITIONS)
        with _opened(settings) as log:
            lost, kept = _runs_of(log, 0), _runs_of(log, 1)
            history = History(log, database)
            history.run(next(lost))
            history.run(next(kept))
        with _stopped(broker) as data:
            shutil.copytree(data, tmp_path / "older")
        with _opened(settings) as log:
            history = History(log, database)
            for n in range(3):
                history.run(next(lost), by=f"later {n}")
            projected = log.end(0)
        before = fingerprint_of(database)
        with _stopped(broker) as data:
            shutil.rmtree(data)
            shutil.copytree(tmp_path / "older", data)

        with _opened(settings) as log:
            ends = f"partition 0 of log {log.generation} ends at offset {log.end(0)}, but was projected up to "
            ends += f"offset {projected}"
            with pytest.raises(RecordsGone, match=ends):
                RemoteProjection(log, database).catch_up(timeout_s=WAIT_S)
            with pytest.raises(RecordsGone, match="an older copy of the log was put in its place"):
                RemoteProjection(log, database).catch_up_on(f"run:{next(_runs_of(log, 0))}", timeout_s=WAIT_S)
            with pytest.raises(RecordsGone):
                Projector(log, database).project_batch(0)
            assert fingerprint_of(database) == before

            while log.end(0) <= projected:
                log.append([NewRecord("run:team/vision/other", b"other", (), 0)], timeout_s=WAIT_S)
            _write_run(log, next(kept))
            with pytest.raises(RecordsGone, match=f"has another record at offset {projected} than the one that was"):
                Projector(log, database).project_batch(0)
            _the_service_stops_it_and_goes_on_with_the_other(log, database, projected)


def _write_run(log: EventLog, run: str) -> None:
    Writer(log, "bert").write(RunStarted(run=run))


def _the_service_stops_it_and_goes_on_with_the_other(log: KafkaEventLog, database: Database, projected: int) -> None:
    service = ProjectorService(log, database, kafka_group(log, "older", session_timeout_s=SESSION_S))
    with running_service(log, database, service):
        projector = Projector(log, database)
        until(lambda: projector.cursor(1).offset == log.end(1) and service.status.now.stopped)
        assert "has another record" in service.status.now.stopped[0]
        assert set(service.status.now.stopped) == {0}
        assert projector.cursor(0).offset == projected
