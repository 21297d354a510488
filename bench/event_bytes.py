"""What a version event costs in the database, with its indexes: of the commits, aliases, uses and runs of pipelines.

Nothing is timed. `docs/events.md` states the figures, and a test compares them.
"""

from collections.abc import Callable, Iterator
from contextlib import closing

from headwater_consumer.database import Database, driver_connection
from headwater_consumer.database.connection import POSTGRESQL, Connection
from headwater_consumer.database.tables import VERSION_EVENTS

from bench.harness import Bench, Figure
from bench.on_servers import ServerBench
from bench.rows import project, runs
from bench.servers import DATABASE

RUNS = 2_000
BYTES_MAX = 1_000.0  # of one event, on either database
_SQLITE_BYTES = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
_POSTGRESQL_BYTES = f"SELECT pg_total_relation_size('{VERSION_EVENTS.name}')"


def measure(bench: Bench) -> Iterator[Figure]:
    """In SQLite."""
    yield _figure(bench, lambda: Database.open_sqlite(bench.folder("projection.db")))


def measure_postgresql(bench: ServerBench) -> Iterator[Figure]:
    """In PostgreSQL."""
    url = bench.servers.at.database(DATABASE)
    yield _figure(bench, lambda: Database.open_postgresql(url, schema="event_bytes"))


def bytes_per_event(database: Database) -> float:
    """The size of the table and its indexes for each row. What is there is spent by it: the table is dropped."""
    with database.autocommit() as connection:
        run = driver_connection(connection).execute
        ((count,),) = run(f"SELECT count(*) FROM {VERSION_EVENTS.name}").fetchall()
        if connection.dialect == POSTGRESQL:
            run(f"VACUUM FULL {VERSION_EVENTS.name}")
            ((size,),) = run(_POSTGRESQL_BYTES).fetchall()
            return float(size) / int(count)
        with_table = _compact_size(connection)
        run(f"DROP TABLE {VERSION_EVENTS.name}")
        return (with_table - _compact_size(connection)) / int(count)


def _compact_size(connection: Connection) -> int:
    run = driver_connection(connection).execute
    run("VACUUM")
    ((size,),) = run(_SQLITE_BYTES).fetchall()
    return int(size)


def _figure(bench: Bench, open_empty: Callable[[], Database]) -> Figure:
    with closing(open_empty()) as database:
        project(bench, database, runs(bench.size(RUNS)))
        found = bytes_per_event(database)
    return Figure(
        bench="event-bytes",
        value=found,
        unit="bytes/event",
        limit=None,
        ratio=None,
        reach=f"at most {BYTES_MAX:g} bytes/event",
        ok=found <= BYTES_MAX,
        runs=[found],
    )
