"""How often a writer on servers asks them for one thing: counted, since times vary."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import patch

import headwater
import psycopg
import pytest
from headwater_consumer.database import Database
from headwater_consumer.projection.view import ProjectionView
from headwater_eventlog.kafka import sender
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.net.manager import KafkaConnectionManager
from urllib3 import PoolManager

from tests.projectors.harness import Deployment
from tests.sdk.conftest import store as store
from tests.support.modes import SERVICE, database_url

COMMIT_MAX = 8  # in all, as promised; each of the parts below is what it takes now
STATEMENTS, PUTS, OTHER_S3, APPENDS, ADMIN = "statements", "puts", "other requests to S3", "appends", "admin requests"


@pytest.fixture
def mode() -> str:
    return SERVICE


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """What this process asks servers for, by kind. Waiting for what servers send unasked is not counted."""
    found: Counter[str] = Counter()

    def counting(owner: type, name: str, kind: Callable[..., str]) -> Any:
        call = getattr(owner, name)

        def count_and_call(self: Any, *arguments: Any, **named: Any) -> Any:
            found[kind(*arguments)] += 1
            return call(self, *arguments, **named)

        return patch.object(owner, name, count_and_call)

    admin = [name for name in dir(KafkaAdminClient) if name.startswith(("describe_", "list_", "create_"))]
    with (
        counting(psycopg.Cursor, "execute", lambda *_: STATEMENTS),
        counting(psycopg.Cursor, "executemany", lambda *_: STATEMENTS),
        counting(PoolManager, "urlopen", lambda method, *_: PUTS if method == "PUT" else OTHER_S3),
        counting(KafkaProducer, "flush", lambda *_: APPENDS),
    ):
        for name in admin:
            counting(KafkaAdminClient, name, lambda *_: ADMIN).start()
        try:
            yield found
        finally:
            patch.stopall()


def filled(name: str, content: str) -> headwater.Artifact:
    artifact = headwater.Artifact(name, type="result")
    with artifact.new_file("result.json") as file:
        file.write(content)
    return artifact


@pytest.mark.usefixtures("store")
def test_a_commit_asks_once_for_each_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    with headwater.init() as run:
        for number in range(3):  # until everything is open, and known that does not change
            run.log_artifact(filled("pets", f"{number}")).wait()
        monkeypatch.setattr(sender, "IDENTITY_AGE_S_MAX", 60.0)  # else once in a while the topic is looked at, too
        with counted() as found:
            artifact = run.log_artifact(filled("pets", "another")).wait()
            assert (artifact.version, artifact.aliases) == ("v3", ["latest"])

    # Where it is stored already, and what became of it; it may be told before all of it is projected, and ask again.
    assert found[STATEMENTS] in (2, 3, 4)
    assert (found[PUTS], found[OTHER_S3], found[APPENDS]) == (1, 0, 1)
    assert found.total() <= COMMIT_MAX


@pytest.mark.usefixtures("store")
def test_a_store_that_is_there_is_opened_with_few_questions() -> None:
    with headwater.init():
        pass  # makes it
    requests: Counter[str] = Counter()
    send = KafkaConnectionManager.send

    def note_and_send(self: KafkaConnectionManager, request: object, *arguments: Any, **named: Any) -> Any:
        requests[type(request).__name__] += 1
        return send(self, request, *arguments, **named)

    with counted() as found, patch.object(KafkaConnectionManager, "send", note_and_send):
        open_stores(read_settings(), create=True).close()

    assert found[STATEMENTS] == 2, "which projection it is, and how far it is"
    # The brokers, the topic, and whether it still is the same once its ends are asked for; its settings; its ends.
    assert requests == {"MetadataRequest": 3, "DescribeConfigsRequest": 1, "ListOffsetsRequest": 1}


def test_the_server_remembers_what_a_connection_asks_for_the_second_time(deployment: Deployment) -> None:
    remembered = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%log_positions%'"
    counts: list[int] = []
    with closing(Database.open_postgresql(database_url(), schema=deployment.schema)) as database:
        view = ProjectionView(deployment.log, database)
        for _ in range(2):
            view.cursors()
            with database.autocommit() as connection:
                counts.append(connection.driver.execute(remembered, prepare=False).fetchone()[0])

    assert counts == [0, 1]
