"""The ways to run, for tests: the same stores by the same names, embedded or on the servers, or behind a server.

Making a schema of PostgreSQL costs more than emptying one, so they are used again. Topics are new for each test.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
from headwater_consumer.database import FORMAT, Database
from headwater_consumer.operational.database import SCHEMA_SUFFIX, OperationalDatabase
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import EventLog

from tests.support import topics
from tests.support.servers import fresh_database

EMBEDDED, SERVICE = "embedded", "service"
MODES = (EMBEDDED, SERVICE)  # where a store is
OVER_HTTP = "over_http"
WAYS = (*MODES, OVER_HTTP)  # how a client gets to one: the last is a folder behind a headwater server
PARTITIONS = 4  # of a test's topic: several, and quick to make

_numbers = count()
_schemas: dict[Path, str] = {}  # in use by this test
_idle: list[str] = []
_topics: dict[Path, topics.FreshTopic] = {}

# Empties the tables of a schema that have rows, and forgets which log it is the projection of.
_EMPTY = """
    DO $$
    DECLARE one text; has_rows boolean;
    BEGIN
        FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' AND tablename <> 'projection_meta'
        LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM {schema}.%I)', one) INTO has_rows;
            IF has_rows THEN
                EXECUTE format('DELETE FROM {schema}.%I', one);
            END IF;
        END LOOP;
        DELETE FROM {schema}.projection_meta WHERE name <> 'format';
    END $$
"""


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


def open_operational(mode: str, folder: Path, *, create: bool = True) -> OperationalDatabase:
    """The operational tables of the store called `folder`, new or opened again."""
    if mode == EMBEDDED:
        return OperationalDatabase.open_in_folder(folder, create=create)
    url, schema = schema_of(folder)
    return OperationalDatabase.open_postgresql(url, beside=schema, create=create)


def schema_of(file: Path) -> tuple[str, str]:
    """The database's URL and the schema that is, for this test, the projection called `file`."""
    if file not in _schemas:
        _schemas[file] = _idle.pop() if _idle else f"projection_{next(_numbers)}"
    return database_url(), _schemas[file]


def open_log(mode: str, folder: Path, *, partitions: int = PARTITIONS) -> EventLog:
    """The log called `folder`, new or opened again."""
    if mode == EMBEDDED:
        return EmbeddedEventLog.open(folder)
    return KafkaEventLog.open(topic_of(folder, partitions).settings(), create=True)


def topic_of(folder: Path, partitions: int = PARTITIONS) -> topics.FreshTopic:
    """The topic that is, for this test, the log called `folder`."""
    if folder not in _topics:
        _topics[folder] = topics.take(partitions)
    return _topics[folder]


def keep(file: Path) -> None:
    """The projection and the log called `file` outlast the test: they are not emptied for another one."""
    _schemas.pop(file, None)
    _topics.pop(file, None)


@contextmanager
def stores_recycled() -> Iterator[None]:
    """Empty what a test used of the servers, for the next test."""
    try:
        yield
    finally:
        for schema in _schemas.values():
            if _empty(schema):
                _idle.append(schema)
        _schemas.clear()
        for topic in _topics.values():
            topics.give_back(topic)
        _topics.clear()


def _empty(schema: str) -> bool:
    """Whether a schema is empty now; one that a test spoiled stays as it is."""
    try:
        with _connection().transaction():
            _connection().execute(f"DROP SCHEMA IF EXISTS {schema}{SCHEMA_SUFFIX} CASCADE")
            _connection().execute(_EMPTY.format(schema=schema))
            found = (
                _connection().execute(f"SELECT value FROM {schema}.projection_meta WHERE name = 'format'").fetchone()
            )
    except psycopg.errors.UndefinedTable:
        return False
    return found == (str(FORMAT),)


@cache
def _connection() -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(database_url(), autocommit=True)
