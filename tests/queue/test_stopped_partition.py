"""A projection of several partitions, one of which is stopped: only who wrote there waits for it."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater._commit import write_queue
from headwater._commit.session import WriteSession
from headwater._commit.tasks import EventsTask
from headwater._commit.write_queue import WriteQueue
from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.database import Database
from headwater_consumer.projection.remote import RemoteProjection
from headwater_consumer.queries.reads import DirectReads
from headwater_consumer.writing.runner import Projector
from headwater_producer.producer import Producer
from headwater_schemas.errors import EventRejected, StoreUnavailable
from headwater_schemas.events import Event, RunFinished, RunStarted
from headwater_schemas.keys import run_key
from headwater_stores.stores import Stores

from tests.support.memory_log import MemoryLog

PARTITIONS = 3
STOPPED, HEALTHY = 0, 1


class Service:
    """A log, and a projector beside it that leaves one partition alone."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.log, self.database = MemoryLog(PARTITIONS), database
        self.stopped: set[int] = {STOPPED}
        self.ended = threading.Event()
        blobs = FolderBlobStore.open(folder / "blobs")
        reads, projection = DirectReads(database), RemoteProjection(self.log, database)
        stores = Stores("memory", self.log, blobs, database, reads, projection, read_only=False)
        self.session = WriteSession(stores, Producer(self.log, author="ada"), entity="team", quiet=True, wait_s=2.0)
        self.queue = WriteQueue(self.session, outage_s=0.0)

    def put(self, events: list[Event], *, rejectable: bool = True, affects_names: bool = False) -> EventsTask:
        task = EventsTask(self.queue, self.session, events, rejectable=rejectable, affects_names=affects_names)
        self.queue.put(task)
        return task

    def run_in(self, partition: int, number: int = 0) -> str:
        """The name of a run whose events are in a partition."""
        names = (f"team/vision/{number}-{n}" for n in range(1000))
        return next(name for name in names if self.log.partition_of(run_key(name)) == partition)

    def project(self) -> None:
        projector = Projector(self.log, self.database)
        while not self.ended.wait(0.005):
            for partition in set(range(PARTITIONS)) - self.stopped:
                projector.project_batch(partition)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(write_queue, "PATIENCE_S", 0.1)
    with closing(Database.open_sqlite(tmp_path / "projection.db")) as database:
        service = Service(tmp_path, database)
        projecting = threading.Thread(target=service.project)
        projecting.start()
        yield service
        service.ended.set()
        projecting.join()


def test_who_wrote_to_other_partitions_has_an_answer(service: Service) -> None:
    stuck = [service.put([RunStarted(run=service.run_in(STOPPED, n))]) for n in range(3)]
    run = service.run_in(HEALTHY)

    service.put([RunStarted(run=run)]).result()
    with pytest.raises(EventRejected):
        service.put([RunFinished(run=run, state="no such state")]).result()

    assert not any(task.done for task in stuck)
    service.stopped.clear()
    for task in stuck:
        task.result()


def test_who_wrote_to_the_stopped_partition_is_told_which_one_it_is(service: Service) -> None:
    stuck = service.put([RunStarted(run=service.run_in(STOPPED)), RunStarted(run=service.run_in(HEALTHY))])

    with pytest.raises(StoreUnavailable, match=rf"within [\d.]+ s: partition {STOPPED} is .* behind"):
        stuck.result()

    assert not stuck.done
    service.stopped.clear()
    stuck.result()


def test_who_waits_for_everything_hears_of_the_stopped_partition_after_all_others_are_done(service: Service) -> None:
    stuck = service.put([RunStarted(run=service.run_in(STOPPED))])
    healthy = [service.put([RunStarted(run=service.run_in(HEALTHY, n))]) for n in range(600)]

    with pytest.raises(StoreUnavailable, match=f"partition {STOPPED}"):
        service.queue.flush()

    assert all(task.done for task in healthy)
    assert not stuck.done


def test_what_need_only_be_durable_waits_for_no_partition(service: Service) -> None:
    service.put([RunStarted(run=service.run_in(STOPPED))])

    service.put([RunFinished(run=service.run_in(STOPPED), state="finished")], rejectable=False).result()


def test_who_asks_about_a_collection_waits_for_what_was_written_about_it_alone(service: Service) -> None:
    stuck = service.put([RunStarted(run=service.run_in(STOPPED))], affects_names=True)
    run = service.run_in(HEALTHY)
    healthy = [service.put([RunStarted(run=run)], affects_names=True) for _ in range(3)]

    asked = service.queue.affecting_names(run_key(run))
    service.queue.flush(until=asked)

    assert stuck not in asked
    assert all(task.done for task in healthy)
    assert not stuck.done
