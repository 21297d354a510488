"""How much slower the projector is, and what people ask for, where the database holds much. On servers.

The limit is the same in a database that holds a twentieth or less. The log is a folder's, so that only the databases
differ: both project the same events, turn by turn.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.database.postgresql.schema import PostgresqlSchema
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import EventLog
from headwater_schemas.events import ArtifactUsed, Event, RunFinished, RunStarted
from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX

from bench.fabricated import PROJECT, files, opened, record, version_events
from bench.harness import Figure, Pairs, timed
from bench.on_servers import ServerBench
from bench.scale_rows import Fill, fill_collections, fill_entries, fill_runs, fill_versions
from bench.servers import DATABASE

ENTRIES, ENTRIES_BEFORE = 20_000_000, 1_000_000
COLLECTIONS, COLLECTIONS_BEFORE = 100_000, 5_000
VERSIONS, VERSIONS_BEFORE = 1_000_000, 50_000
RUNS, RUNS_BEFORE = 200_000, 10_000

COMMITS = 3_000  # projected in each round
BULK = 200_000  # entries in one commit
PAGE = 100  # of a list
QUESTIONS = 50  # of each kind, in each round
RATE_RATIO_MIN = 0.6
QUESTION_RATIO_MAX = 2.0

Make = Callable[[int, int], Iterator[Event]]  # (round, how many of what is counted)
Ask = Callable[[Database], object]


@dataclass(frozen=True, slots=True)
class Case:
    """Two databases of one kind."""

    name: str
    fill: Fill
    large: int
    small: int
    recorded: dict[str, tuple[Make, int]]  # name of a figure → the events of a round
    asked: dict[str, Ask]


def measure(bench: ServerBench) -> Iterator[Figure]:
    """All cases, one after the other."""
    for case in _CASES:
        yield from _figures(bench, case)


def _figures(bench: ServerBench, case: Case) -> Iterator[Figure]:
    url = bench.servers.at.database(DATABASE)
    sizes = (bench.size(case.large), bench.size(case.small))
    schemas = [f"scale_{case.name}_{size}" for size in sizes]
    with (
        ExitStack() as stack,
        psycopg.connect(url, autocommit=True) as connection,
        opened(bench.folder("log")) as (stores, producer),
    ):
        large, small = (stack.enter_context(_database(url, schema)) for schema in schemas)
        detail = {"fill_s": [timed(partial(case.fill, connection, *at)) for at in zip(schemas, sizes, strict=True)]}
        for name, (make, count) in case.recorded.items():
            per_round = bench.size(count)
            rates: list[list[float]] = [[], []]
            for n in range(bench.rounds):
                record(producer, make(n, per_round))
                for database, taken in _alternating(n, (large, rates[0]), (small, rates[1])):
                    taken.append(per_round / timed(partial(_project, stores.log, database)))
            yield _figure_of_rates(f"scale-{case.name}-{name}", Pairs(*rates), sizes, detail)
        for name, ask in case.asked.items():
            seconds: list[list[float]] = [[], []]
            for n in range(bench.rounds + 1):  # the first reads from the disk what all others find in memory
                for database, taken in _alternating(n, (large, seconds[0]), (small, seconds[1])):
                    taken.append(timed(partial(_ask, ask, database)))
            yield _figure_of_answers(f"scale-{case.name}-{name}", Pairs(seconds[0][1:], seconds[1][1:]), sizes)


@contextmanager
def _database(url: str, schema: str) -> Iterator[Database]:
    """A new one, which is dropped at the end."""
    database = Database.open_postgresql(url, schema=schema)
    try:
        yield database
    finally:
        database.close()
        PostgresqlSchema(url, schema).drop_schema()


def _alternating(n: int, *both: tuple[Database, list[float]]) -> Sequence[tuple[Database, list[float]]]:
    return both[:: 1 if n % 2 else -1]


def _figure_of_rates(name: str, pairs: Pairs, sizes: tuple[int, int], detail: dict[str, object]) -> Figure:
    reach = f"at least {RATE_RATIO_MIN} x the speed with {sizes[1]:,} rows"
    detail = {"rows": sizes, **detail}
    return pairs.figure(name, unit="per s", reach=reach, ok=pairs.ratio >= RATE_RATIO_MIN, detail=detail)


def _figure_of_answers(name: str, pairs: Pairs, sizes: tuple[int, int]) -> Figure:
    reach = f"at most {QUESTION_RATIO_MAX} x the time with {sizes[1]:,} rows"
    detail = {"rows": sizes, "questions": QUESTIONS}
    return pairs.figure(name, unit="s", reach=reach, ok=pairs.ratio <= QUESTION_RATIO_MAX, detail=detail)


def _project(log: EventLog, database: Database) -> None:
    projector = Projector(log, database)
    while projector.project_batch(0):
        pass


def _ask(ask: Ask, database: Database) -> None:
    for _ in range(QUESTIONS):
        ask(database)


# --- what is projected and asked ----------------------------------------------------------------------------------


def _commits(n: int, count: int, *, to: str | None = None) -> Iterator[Event]:
    """Versions of one entry, each in a new collection unless one is given."""
    for i in range(count):
        yield from version_events(to or f"{PROJECT}/new-{n}-{i}", f"{n}-{i}", [files([i], content=f"new {n}")])


def _bulk(n: int, count: int) -> Iterator[Event]:
    """One version."""
    starts = range(0, count, ENTRIES_PER_EVENT_MAX)
    batches = [files(range(start, min(start + ENTRIES_PER_EVENT_MAX, count)), content=f"bulk {n} ") for start in starts]
    yield from version_events(f"{PROJECT}/bulk", f"bulk-{n}", batches)


def _runs(n: int, count: int) -> Iterator[Event]:
    """Each uses a version that is there, and logs one."""
    for i in range(count):
        run = f"{PROJECT}/new-{n}-{i}"
        yield RunStarted(run=run, job_type="train", config="{}", heartbeat_seconds=300)
        yield ArtifactUsed(collection=f"{PROJECT}/old-0", version=0, run=run, requested="old-0:latest")
        yield from version_events(f"{PROJECT}/made-{n}-{i}", f"{n}-{i}", [files([i], content=f"run {n}")], run=run)
        yield RunFinished(run=run, state="finished")


def _lists_collections(database: Database) -> object:
    return queries.collections(database, PROJECT, limit=PAGE)


def _lists_versions(database: Database) -> object:
    return queries.version_infos(database, f"{PROJECT}/versions", limit=PAGE)


def _resolves(collection: str) -> Ask:
    def ask(database: Database) -> object:
        version = queries.resolve_version(database, collection, "latest")
        assert version is not None
        return queries.version_info(database, collection, version)

    return ask


def _lists_runs(database: Database) -> object:
    return queries.runs(database, PROJECT, limit=PAGE)


_CASES = (
    Case(
        "entries",
        fill_entries,
        ENTRIES,
        ENTRIES_BEFORE,
        {"commits": (_commits, COMMITS), "bulk": (_bulk, BULK)},
        {"resolve": _resolves(f"{PROJECT}/old-0")},
    ),
    Case(
        "collections",
        fill_collections,
        COLLECTIONS,
        COLLECTIONS_BEFORE,
        {"commits": (_commits, COMMITS)},
        {"list": _lists_collections, "resolve": _resolves(f"{PROJECT}/old-7")},
    ),
    Case(
        "versions",
        fill_versions,
        VERSIONS,
        VERSIONS_BEFORE,
        {"commits": (partial(_commits, to=f"{PROJECT}/versions"), COMMITS)},
        {"list": _lists_versions, "resolve": _resolves(f"{PROJECT}/versions")},
    ),
    Case(
        "runs",
        fill_runs,
        RUNS,
        RUNS_BEFORE,
        {"runs": (_runs, COMMITS)},
        {"list": _lists_runs, "resolve": _resolves(f"{PROJECT}/old-0")},
    ),
)
