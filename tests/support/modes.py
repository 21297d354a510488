"""The two ways to run, for tests: the same stores by the same names, embedded or on the servers.

Making a schema of PostgreSQL costs more than emptying one, so they are used again.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
from headwater_consumer.database import Database
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.port import EventLog

from tests.support.servers import fresh_database, fresh_topic_name, servers

EMBEDDED, SERVICE = "embedded", "service"
MODES = (EMBEDDED, SERVICE)
PARTITIONS = 4  # of a test's topic: several, and quick to make

_numbers = count()
_schemas: dict[Path, str] = {}  # in use by this test
_idle: list[str] = []
_topics: dict[Path, KafkaSettings] = {}


@cache
def database_url() -> str:
    """This process's own database on the server."""
    return fresh_database()


def open_database(mode: str, file: Path) -> Database:
    """The projection called `file`, new or opened again."""
    if mode == EMBEDDED:
        return Database.open_sqlite(file)
    if file not in _schemas:
        _schemas[file] = _idle.pop() if _idle else f"projection_{next(_numbers)}"
    return Database.open_postgresql(database_url(), schema=_schemas[file])


def open_log(mode: str, folder: Path, *, partitions: int = PARTITIONS) -> EventLog:
    """The log called `folder`, new or opened again."""
    if mode == EMBEDDED:
        return EmbeddedEventLog.open(folder)
    if folder not in _topics:
        _topics[folder] = KafkaSettings(servers().kafka, topic=fresh_topic_name(), partitions=partitions)
    return KafkaEventLog.open(_topics[folder], create=True)


@contextmanager
def given_back() -> Iterator[None]:
    """What a test used of the servers is there for the next one."""
    try:
        yield
    finally:
        for schema in _schemas.values():
            with closing(Database.open_postgresql(database_url(), schema=schema)) as database:
                database.drop_everything()
            _idle.append(schema)
        _schemas.clear()
        _topics.clear()


def raw_connection(mode: str, file: Path) -> psycopg.Connection:
    """Past the adapter, to the schema that `open_database` uses."""
    assert mode == SERVICE
    return psycopg.connect(database_url(), autocommit=True, options=f"-c search_path={_schemas[file]}")
