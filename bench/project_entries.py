"""Project 1,000,000 entries of one commit into PostgreSQL. Limit: decode, then binary `COPY` into a table like it."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import repeat

import psycopg
from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.rows import FILE, EntryRow
from headwater_consumer.service.process import project_present
from headwater_eventlog.kafka import KafkaEventLog
from headwater_schemas import codec
from headwater_schemas.events import EntryAdded
from headwater_stores.config.settings import read_settings
from headwater_stores.server_settings import kafka_settings
from headwater_stores.servers import open_database, open_log_and_database
from psycopg import sql

from bench.fabricated import read_all
from bench.harness import Figure, Laps, Limit, Result, parts_of, run
from bench.on_servers import ServerBench
from bench.recording import record_one_version

ENTRIES = 1_000_000
RATIO_MAX = 2.0
TYPES = {"BIGINT": "int8", "BLOB": "bytea", "TEXT": "text"}


def measure(bench: ServerBench) -> Iterator[Figure]:
    home, entries = bench.quiet_home(), bench.size(ENTRIES)
    run(home, record_one_version, entries=entries)
    projected: list[Result] = []
    copied: list[Result] = []

    def take(results: list[Result], bare: bool) -> float:
        fresh = home.with_fresh_projection()
        try:
            results.append(run(fresh, copy_bare if bare else project))
        finally:
            fresh.forget_projection()
        return float(results[-1]["seconds"])

    limit = Limit("decode and binary COPY", lambda: take(copied, True), RATIO_MAX)
    pairs = bench.paired(lambda: take(projected, False), limit.seconds, warm=home.checkpoint)
    complete = all(result["rows"] == entries for result in (*projected, *copied))
    yield pairs.figure(
        "project-entries",
        unit="s",
        reach=limit.reach,
        ok=limit.is_reached(pairs) and complete,
        detail={
            "entries": entries,
            "peak_bytes": max(result["peak_bytes"] for result in projected),
            **parts_of(projected),
            "of_limit": parts_of(copied),
        },
    )


def project() -> Result:
    """What `headwater projector --once` does, from the log to the database."""
    profile = read_settings().profile
    assert profile is not None
    with ExitStack() as opened:
        database, log = open_log_and_database(profile, opened, create=True)
        laps = Laps()
        project_present(log, database)
        laps.lap("project")
    with psycopg.connect(profile.database_url) as connection:
        return {**laps.result(), "rows": _count(connection, profile.database_schema, "entries")}


def copy_bare() -> Result:
    """From payloads in memory to a table with the same columns and indexes as `entries`."""
    profile = read_settings().profile
    assert profile is not None
    schema = profile.database_schema
    with closing(KafkaEventLog.open(kafka_settings(profile), create=False)) as log:
        records = [record for partition in range(log.partitions) for record in read_all(log, partition)]
    open_database(profile, create=True).close()
    with psycopg.connect(profile.database_url) as connection:
        statement = "CREATE TABLE {schema}.bare (LIKE {schema}.entries INCLUDING ALL)"
        connection.execute(sql.SQL(statement).format(schema=sql.Identifier(schema)))
        connection.commit()
        laps = Laps()
        events = [codec.decode(record.payload).event for record in records]
        laps.lap("decode")
        _copy(connection, schema, [event for event in events if isinstance(event, EntryAdded)])
        connection.commit()
        laps.lap("copy")
        return {**laps.result(), "rows": _count(connection, schema, "bare")}


def _copy(connection: psycopg.Connection, schema: str, events: list[EntryAdded]) -> None:
    statement = sql.SQL("COPY {}.bare FROM STDIN (FORMAT BINARY)").format(sql.Identifier(schema))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([TYPES[str(column.type)] for column in table_of(EntryRow).columns])
        for event in events:
            files, nothing = event.files, repeat(None)
            names = [files.objects[i] for i in files.object_indexes]
            first = (repeat(1), files.paths, repeat(1), repeat(1), repeat(FILE), files.sizes)
            place = (files.packed_digests(), names, files.offsets)
            for row in zip(*first, *place, nothing, nothing, nothing, strict=False):
                copy.write_row(row)


def _count(connection: psycopg.Connection, schema: str, table: str) -> int:
    counting = sql.SQL("SELECT count(*) FROM {}.{}").format(sql.Identifier(schema), sql.Identifier(table))
    found = connection.execute(counting).fetchone()
    assert found is not None
    return int(found[0])
