"""The whole ancestry of the last of 10,000 runs in a chain. Limit: one recursive query on bare tables."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from headwater_consumer import queries
from headwater_schemas.events import ArtifactUsed, Event, RunFinished, RunStarted

from bench.chain import RUNS
from bench.fabricated import PROJECT, files, opened, version_events, write
from bench.harness import Bench, Figure, Pairs, Result, run, timed

ROUNDS = 9
RATIO_MAX = 3.0

_TABLES = """
CREATE TABLE made (version TEXT, run TEXT, PRIMARY KEY (version, run)) WITHOUT ROWID;
CREATE TABLE used (run TEXT, version TEXT, PRIMARY KEY (run, version)) WITHOUT ROWID;
"""
_ANCESTORS = """
WITH RECURSIVE ancestor (version) AS (
    VALUES (?) UNION
    SELECT used.version FROM ancestor JOIN made ON made.version = ancestor.version JOIN used ON used.run = made.run
)
"""
# Every version that the given one comes from, with the run that made it.
_ANCESTRY = f"""
{_ANCESTORS}
SELECT ancestor.version, made.run FROM ancestor JOIN made ON made.version = ancestor.version
"""
# The same as edges: the run that made each, and what each of those runs used.
_EDGES = f"""
{_ANCESTORS}
SELECT made.version, made.run FROM ancestor JOIN made ON made.version = ancestor.version
UNION
SELECT used.version, used.run
FROM ancestor JOIN made ON made.version = ancestor.version JOIN used ON used.run = made.run
"""


def measure(bench: Bench) -> Iterator[Figure]:
    home, count = bench.home(), bench.size(RUNS)
    run(home, build, store=home.store, count=count)
    bare = bench.folder("bare.db")
    _build_bare(bare, count)
    taken = run(home, ask, store=home.store, bare=bare, count=count)
    pairs = Pairs(taken["values"], taken["limits"])
    yield pairs.figure(
        "ancestry",
        unit="s",
        reach=f"at most {RATIO_MAX} x one recursive query",
        ok=pairs.ratio <= RATIO_MAX and taken["complete"],
        detail={"runs": count, **{key: taken[key] for key in ("edges", "complete", "limit_with_all_edges_s")}},
    )


def build(store: str, count: int) -> Result:
    """The events of `bench.chain`, without their bytes."""
    events: list[Event] = []
    for n in range(count):
        name = f"{PROJECT}/step-{n}"
        events.append(RunStarted(run=name, job_type="step"))
        events += [
            ArtifactUsed(collection=_node(before), version=0, run=name, requested=f"node-{before}:latest")
            for before in _before(n)
        ]
        events += version_events(_node(n), f"draft-{n}", [files([n])], run=name)
        events.append(RunFinished(run=name, state="finished"))
    with opened(store) as (stores, producer):
        write(stores, producer, events)
    return {}


def ask(store: str, bare: str, count: int) -> Result:
    """Seconds of each question, turn by turn, and whether the answer names every run."""
    values, limits = [], []
    with opened(store) as (stores, _), closing(sqlite3.connect(bare)) as database:
        lineage = queries.ancestry(stores.database, _node(count - 1), 0)
        runs = {edge.run for edge in lineage.edges}
        for _ in range(ROUNDS):
            values.append(timed(partial(queries.ancestry, stores.database, _node(count - 1), 0)))
            limits.append(timed(partial(_ask_bare, database, count)))
        last = (f"{_node(count - 1)}:v0",)
        with_edges = min(timed(lambda: database.execute(_EDGES, last).fetchall()) for _ in range(ROUNDS))
    complete = len(runs) == count and not lineage.truncated
    return {
        "values": values,
        "limits": limits,
        "edges": len(lineage.edges),
        "complete": complete,
        "limit_with_all_edges_s": with_edges,
    }


def _node(n: int) -> str:
    return f"{PROJECT}/node-{n}"


def _before(n: int) -> range:
    return range(max(0, n - 2), n)


def _build_bare(file: Path, count: int) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.executescript(_TABLES)
        made = [(f"{_node(n)}:v0", f"{PROJECT}/step-{n}") for n in range(count)]
        used = [(f"{PROJECT}/step-{n}", f"{_node(before)}:v0") for n in range(count) for before in _before(n)]
        database.executemany("INSERT INTO made VALUES (?, ?)", made)
        database.executemany("INSERT INTO used VALUES (?, ?)", used)
        database.commit()


def _ask_bare(database: sqlite3.Connection, count: int) -> None:
    assert len(database.execute(_ANCESTRY, (f"{_node(count - 1)}:v0",)).fetchall()) == count
