"""The two ways to run, for tests: the same stores by the same names, embedded or on the servers.

Making a schema of PostgreSQL costs more than emptying one, so they are used again.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

from headwater_consumer.database import Database
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.port import EventLog
from headwater_schemas.errors import StoreError

from tests.support.projections import empty
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
    url, schema = schema_of(file)
    return Database.open_postgresql(url, schema=schema)


def schema_of(file: Path) -> tuple[str, str]:
    """The database's URL and the schema that is, for this test, the projection called `file`."""
    if file not in _schemas:
        _schemas[file] = _idle.pop() if _idle else f"projection_{next(_numbers)}"
    return database_url(), _schemas[file]


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
            try:
                with closing(Database.open_postgresql(database_url(), schema=schema)) as database:
                    empty(database)
            except StoreError:  # a test spoiled it
                continue
            _idle.append(schema)
        _schemas.clear()
        _topics.clear()
