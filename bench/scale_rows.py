"""Rows of a large projection, which PostgreSQL makes itself: minutes for what a log of such events takes hours to give.

They stand under positions of a partition that no log has, so what is projected beside them never meets them.
"""

from collections.abc import Callable

import psycopg
from headwater_consumer.database.tables import ENTRIES
from headwater_schemas.lthash import STATE_BYTES
from headwater_schemas.positions import PARTITIONS_MAX, position_number
from psycopg import sql

from bench.fabricated import FILE_BYTES, PROJECT

FIRST = position_number(0, PARTITIONS_MAX - 1, 0)
ENTRIES_PER_VERSION = 10_000
RUNS_PER_COLLECTION = 20
WORK_MEMORY = "512MB"  # to sort the entries for their index

Fill = Callable[[psycopg.Connection, str, int], None]

_COLLECTION = """
INSERT INTO collections (collection, project, type, next_version, created_position, created_us)
SELECT {name}, {project}, 'dataset', {versions}, {first} + n, n FROM generate_series(0, {collections} - 1) AS n
"""
_VERSIONS = """
INSERT INTO versions (collection, version, digest, sum_state, entry_count, size_bytes, layers, base, draft, run,
  contested_count, position, created_us, append_us, clock_us, author, message)
SELECT {name}, {version}, 'lthash:' || md5(n::text) || md5((-n)::text), {state}, {entries}, {entries} * {bytes},
  ({first} + n)::text, NULL, 'own:' || md5(n::text), NULL, 0, {first} + n, n, n, n, 'bench@bench', NULL
FROM generate_series(0, {count} - 1) AS n
"""
_DIGESTS = """
INSERT INTO version_digests (collection, digest, version)
SELECT collection, digest, version FROM versions WHERE position >= {first}
"""
_LAYERS = """
INSERT INTO layers (layer, row_count, merges) SELECT {first} + n, {entries}, 0 FROM generate_series(0, {count} - 1) AS n
"""
_VERSION_LAYERS = """
INSERT INTO version_layers (layer, collection, version) SELECT position, collection, version FROM versions
WHERE position >= {first}
"""
_LATEST = """
INSERT INTO aliases (collection, alias, version, from_position, to_position)
SELECT collection, 'latest', next_version - 1, created_position, NULL FROM collections WHERE created_position >= {first}
"""
_ENTRIES = """
INSERT INTO entries (layer, path, ordinal, writer, kind, size, digest, object_name, object_offset)
SELECT {first} + n / {per}, lpad((n % {per} / 1000)::text, 5, '0') || '/' || lpad((n % 1000)::text, 3, '0') || '.bin',
  {first} + n / {per}, 0, 0, {bytes}, '\\x01'::bytea || decode(md5(n::text), 'hex'),
  'packs/' || {project} || '/' || md5((n / 4096)::text), n % 4096 * {bytes}
FROM generate_series({start}, {end} - 1) AS n
"""
_RUNS = """
INSERT INTO runs (run, project, job_type, "group", display_name, tags, author, started_us, append_us, from_position,
  to_position)
SELECT {project} || '/old-' || n, {project}, 'train', NULL, NULL, '[]', 'bench@bench', n, n, {first} + n, NULL
FROM generate_series(0, {count} - 1) AS n
"""
_RUN_STATES = """
INSERT INTO run_states (run, state, time_us, from_position, to_position)
SELECT run, 'finished', started_us, from_position, NULL FROM runs WHERE from_position >= {first}
"""
_RUN_EDGES = """
INSERT INTO {table} SELECT {project} || '/old-' || n / {per}, 0, {project} || '/old-' || n {more}, {first} + n
FROM generate_series(0, {count} - 1) AS n
"""


def fill_entries(connection: psycopg.Connection, schema: str, count: int) -> None:
    """So many entries, ten thousand in a version, each version in a collection of its own."""
    versions = max(1, count // ENTRIES_PER_VERSION)
    per = count // versions
    indexes = _drop_indexes(connection, schema)
    for start in range(0, versions * per, 1_000_000):
        end = min(start + 1_000_000, versions * per)
        _run(connection, schema, _ENTRIES, start=start, end=end, per=per)
    connection.execute(f"SET maintenance_work_mem = '{WORK_MEMORY}'")
    for index in indexes:
        connection.execute(index)
    _collections(connection, schema, versions, entries=per)
    _run(connection, schema, _LAYERS, count=versions, entries=per)
    _finish(connection, schema)


def fill_collections(connection: psycopg.Connection, schema: str, count: int) -> None:
    """So many collections of one version."""
    _collections(connection, schema, count, entries=1)
    _finish(connection, schema)


def fill_versions(connection: psycopg.Connection, schema: str, count: int) -> None:
    """One collection of so many versions."""
    name = sql.Literal(f"{PROJECT}/versions")
    _run(connection, schema, _COLLECTION, name=name, versions=count, collections=1)
    _versions(connection, schema, count, name=name, version=sql.SQL("n"), entries=1)
    _finish(connection, schema)


def fill_runs(connection: psycopg.Connection, schema: str, count: int) -> None:
    """So many runs, each of which logged a version and used another; twenty share a collection."""
    _run(connection, schema, _RUNS, count=count)
    _run(connection, schema, _RUN_STATES)
    tables = (("run_outputs", ""), ("run_inputs", ", 'old:v0', ''"))
    for table, more in tables:
        _run(
            connection, schema, _RUN_EDGES, table=sql.Identifier(table), more=sql.SQL(more), count=count,
            per=RUNS_PER_COLLECTION,
        )  # fmt: skip
    _collections(connection, schema, max(1, count // RUNS_PER_COLLECTION), entries=1)
    _finish(connection, schema)


def _collections(connection: psycopg.Connection, schema: str, count: int, *, entries: int) -> None:
    name = sql.SQL("{} || '/old-' || n").format(sql.Literal(PROJECT))
    _run(connection, schema, _COLLECTION, name=name, versions=1, collections=count)
    _versions(connection, schema, count, name=name, version=sql.SQL("0"), entries=entries)


def _versions(
    connection: psycopg.Connection,
    schema: str,
    count: int,
    *,
    name: sql.Composable,
    version: sql.Composable,
    entries: int,
) -> None:
    state = sql.Literal(bytes(STATE_BYTES))
    _run(connection, schema, _VERSIONS, name=name, version=version, state=state, count=count, entries=entries)
    for statement in (_DIGESTS, _VERSION_LAYERS, _LATEST):
        _run(connection, schema, statement)


def _drop_indexes(connection: psycopg.Connection, schema: str) -> list[str]:
    """Drop the indexes of the entries that are not the primary key, and return the statements that make them again."""
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = %s AND indexname NOT LIKE %s",
        [schema, ENTRIES.name, "%pkey"],
    ).fetchall()
    for name, _ in found:
        connection.execute(sql.SQL("DROP INDEX {}.{}").format(sql.Identifier(schema), sql.Identifier(name)))
    return [definition for _, definition in found]


def _finish(connection: psycopg.Connection, schema: str) -> None:
    """Have PostgreSQL know what there is, as it does after a while."""
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")


def _run(connection: psycopg.Connection, schema: str, statement: str, **values: object) -> None:
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    common: dict[str, object] = {"first": FIRST, "bytes": FILE_BYTES, "project": PROJECT}
    named = {
        name: value if isinstance(value, sql.Composable) else sql.Literal(value)
        for name, value in (common | values).items()
    }
    connection.execute(sql.SQL(statement).format(**named))  # type: ignore[arg-type]
