"""What a projection keeps: rows by table and bytes of the database for each commit, entry and run, on both databases.

Nothing is timed. The log is a folder's in either case, so that only the database differs.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from headwater_consumer.database import Database, driver_connection
from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.database.tables import ENTRIES, ROW_TYPES
from headwater_consumer.writing.runner import Projector
from headwater_schemas.events import ArtifactUsed, Capture, Event, RunFinished, RunStarted, RunUpdated
from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX

from bench.fabricated import PROJECT, files, opened, record, version_events
from bench.harness import Bench, Figure
from bench.on_servers import ServerBench
from bench.servers import DATABASE

COMMITS = 20_000
ENTRY_ROWS_PER_COMMIT_MAX = 10.0  # of one entry each: what merging writes, too
ENTRY_COUNT = 200_000
ENTRY_ROWS_PER_ENTRY_MAX = 1.0
RUNS = 5_000
CONFIG = '{"batch":32,"epochs":10,"lr":0.1}'
# As large as of a small project: a command line of ten words, and twelve packages.
CAPTURE = Capture("0" * 40, "https://example.org/team/digits.git", "main", "no", '{"command":"' + "x" * 600 + '"}')
SQLITE_BYTES = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
POSTGRESQL_BYTES = (
    "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema AND c.relkind = 'r'"
)


def measure(bench: Bench) -> Iterator[Figure]:
    """In SQLite."""
    yield from _figures(bench, lambda: Database.open_sqlite(bench.folder("projection.db")), SQLITE_BYTES)


def measure_postgresql(bench: ServerBench) -> Iterator[Figure]:
    """In PostgreSQL."""
    url, names = bench.servers.at.database(DATABASE), (f"rows_{n}" for n in range(100))
    yield from _figures(bench, lambda: Database.open_postgresql(url, schema=next(names)), POSTGRESQL_BYTES)


def _figures(bench: Bench, open_empty: Callable[[], Database], size_sql: str) -> Iterator[Figure]:
    cases: list[tuple[str, int, Callable[[int], Iterator[Event]], float]] = [
        ("commit", bench.size(COMMITS), _commits, ENTRY_ROWS_PER_COMMIT_MAX),
        ("entry", bench.size(ENTRY_COUNT), _entries, ENTRY_ROWS_PER_ENTRY_MAX),
        ("run", bench.size(RUNS), runs, ENTRY_ROWS_PER_ENTRY_MAX),
    ]
    for unit, count, events, most in cases:
        with closing(open_empty()) as database:
            before = _bytes(database, size_sql)
            project(bench, database, events(count))
            rows = {table: found / count for table, found in _rows(database).items() if found}
            grown = (_bytes(database, size_sql) - before) / count
        yield Figure(
            bench=f"rows-per-{unit}",
            value=rows.get(ENTRIES.name, 0.0),
            unit=f"entry rows/{unit}",
            limit=None,
            ratio=None,
            reach=f"at most {most:g} entry rows/{unit}",
            ok=rows.get(ENTRIES.name, 0.0) <= most,
            runs=[grown],
            detail={"count": count, "bytes": grown, "rows": rows},
        )


def _commits(count: int) -> Iterator[Event]:
    """Versions of one collection, each of which adds one entry to the last."""
    for n in range(count):
        yield from version_events(f"{PROJECT}/commits", str(n), [files([n])], base=n - 1 if n else None)


def _entries(count: int) -> Iterator[Event]:
    """One version."""
    starts = range(0, count, ENTRIES_PER_EVENT_MAX)
    batches = [files(range(start, min(start + ENTRIES_PER_EVENT_MAX, count))) for start in starts]
    yield from version_events(f"{PROJECT}/entries", "1", batches)


def runs(count: int) -> Iterator[Event]:
    """Each uses what the run before it logged, and logs one entry of its own."""
    for n in range(count):
        run, collection = f"{PROJECT}/r{n}", f"{PROJECT}/c{n}"
        yield RunStarted(run=run, job_type="train", config=CONFIG, heartbeat_seconds=300)
        yield RunUpdated(run=run, capture=CAPTURE)
        if n:
            yield ArtifactUsed(collection=f"{PROJECT}/c{n - 1}", version=0, run=run, requested=f"c{n - 1}:latest")
        yield from version_events(collection, str(n), [files([n])], run=run)
        yield RunFinished(run=run, state="finished")


def project(bench: Bench, database: Database, events: Iterator[Event]) -> None:
    with opened(bench.folder("log")) as (stores, producer):
        record(producer, events)
        projector = Projector(stores.log, database)
        while projector.project_batch(0):
            pass


def _rows(database: Database) -> dict[str, int]:
    with database.snapshot() as connection:
        run: Any = driver_connection(connection).execute
        names = [table_of(row_type).name for row_type in ROW_TYPES]
        return {name: run(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def _bytes(database: Database, sql: str) -> int:
    with database.autocommit() as connection:
        return int(driver_connection(connection).execute(sql).fetchone()[0])
