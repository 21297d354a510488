"""A log, a projection, and projectors of both, in this process and in others, for the tests of this folder."""

import json
import os
import secrets
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from headwater_consumer.database import Database
from headwater_consumer.database.fingerprint import fingerprint
from headwater_consumer.service.kafka_group import kafka_group
from headwater_consumer.service.lag_sampler import LagSampler
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.port import EventLog, NewRecord
from headwater_schemas.events import VersionCommitted

from tests.support.forked import ForkedProcess
from tests.support.history import APPEND_TIMEOUT_S, History
from tests.support.modes import database_url
from tests.support.projections import project_all
from tests.support.servers import fresh_topic_name, servers
from tests.support.sessions import SESSION_S

ROOT = Path(__file__).parent.parent.parent
PARTITIONS = 2
WAIT_S = 40.0
SAMPLE_S = 0.1
PROJECT = "team/vision"
UNKNOWN = b"\xc3\x01" + b"\xff" * 8  # single-object encoding of a schema that nobody knows


class Deployment:
    """One log and one projection of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = KafkaSettings(servers().kafka, topic=fresh_topic_name(), partitions=PARTITIONS)
        self.schema = f"projectors_{secrets.token_hex(6)}"
        self.group_id = f"projectors-{secrets.token_hex(6)}"
        self.log = KafkaEventLog.open(self.settings, create=True)
        self.database = Database.open_postgresql(database_url(), schema=self.schema)
        self.history = History(self.log, self.database)

    def collection_in(self, partition: int, number: int = 0) -> str:
        """The name of a collection whose events go to that partition."""
        names = (f"{PROJECT}/c{n}" for n in range(1000))
        return [name for name in names if self.log.partition_of(f"collection:{name}") == partition][number]

    def commit(self, collection: str, content: bytes = b"1") -> None:
        """Write a whole version. Nobody here projects it."""
        draft, events = self.history.draft(collection, {"a": content})
        self.history.writer().write(*events, VersionCommitted(collection=collection, draft=draft))

    def commit_everywhere(self, versions: int, content: bytes = b"") -> None:
        for n in range(versions):
            for partition in range(PARTITIONS):
                self.commit(self.collection_in(partition, n % 3), content + b"%d" % n)

    def put(self, partition: int, payload: bytes, key: str | None = None) -> None:
        """A record as nobody should write it."""
        key = key or f"collection:{self.collection_in(partition)}"
        self.log.append([NewRecord(key, payload, (), partition)], timeout_s=APPEND_TIMEOUT_S)

    def positions(self) -> dict[int, int]:
        projector = Projector(self.log, self.database)
        return {partition: projector.cursor(partition).offset for partition in range(PARTITIONS)}

    def is_up_to_date(self) -> bool:
        return self.positions() == self.log.ends()

    def fingerprint(self) -> str:
        with self.database.snapshot() as connection:
            return fingerprint(connection)

    def fingerprint_of_replay(self) -> str:
        """What SQLite says of the same log, projected by nobody else."""
        with closing(Database.open_sqlite(self.folder / f"{secrets.token_hex(4)}.db")) as database:
            project_all(self.log, Projector(self.log, database))
            with database.snapshot() as connection:
                return fingerprint(connection)

    def service(self, **options: Any) -> ProjectorService:
        join = kafka_group(self.log, self.group_id, session_timeout_s=SESSION_S)
        return ProjectorService(self.log, self.database, join, **options)

    def close(self) -> None:
        self.log.close()
        self.database.close()
        self.database.adapter.drop_schema()  # type: ignore[attr-defined] # of PostgreSQL's


@contextmanager
def running(deployment: Deployment, service: ProjectorService) -> Iterator[None]:
    """A projector in a thread."""
    with running_service(deployment.log, deployment.database, service):
        yield


@contextmanager
def running_service(log: EventLog, database: Database, service: ProjectorService) -> Iterator[None]:
    """As `running`, of any log and database."""
    thread = threading.Thread(target=service.run)
    with LagSampler(log, database, service.status, every_s=SAMPLE_S):
        thread.start()
        try:
            yield
        finally:
            service.stop()
            thread.join(WAIT_S)
    assert not thread.is_alive()


def until(is_so: Callable[[], object], what: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def get(url: str) -> tuple[int, str]:
    """Status and text of a page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Process:
    """`headwater projector` as a process; `process.py` says what it does with the options."""

    def __init__(self, deployment: Deployment, name: str, **options: Any) -> None:
        self._output_file = deployment.folder / f"{name}.log"
        given = {
            "servers": deployment.settings.servers,
            "topic": deployment.settings.topic,
            "database": database_url(),
            "schema": deployment.schema,
            "group_id": deployment.group_id,
            "session_timeout_s": SESSION_S,
            **options,
        }
        with self._output_file.open("wb") as out:
            command = ["-m", "tests.projectors.process", json.dumps(given)]
            self._process = ForkedProcess(command, cwd=ROOT, stdout=out, stderr=out)

    def output(self) -> str:
        return self._output_file.read_text()

    def until_output(self, words: str) -> None:
        until(lambda: words in self.output() or self._process.poll() is not None, self.output)
        assert words in self.output(), self.output()

    def health(self) -> Mapping[str, Any]:
        self.until_output("/health and /metrics")
        port = self.output().partition("http://127.0.0.1:")[2].partition("/")[0]
        output: Mapping[str, Any] = json.loads(get(f"http://127.0.0.1:{port}/health")[1])
        return output

    def partitions(self) -> set[int]:
        return {int(number) for number in self.health()["partitions"]}

    def send(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def wait(self) -> int:
        return self._process.wait(WAIT_S)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(WAIT_S)


@contextmanager
def started(deployment: Deployment, name: str, **options: Any) -> Iterator[Process]:
    process = Process(deployment, name, **options)
    try:
        yield process
    finally:
        process.end()
