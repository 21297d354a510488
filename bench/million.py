"""List, and fetch one entry of, a version of 1,000,000 entries after 1,000 one-file versions.

Limit: the same on a version that was written at once, in the same store.
"""

import random
from collections.abc import Iterator
from functools import partial
from uuid import uuid4

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas.events import Event

from bench.fabricated import PROJECT, files, opened, path_of, version_events, write
from bench.harness import Bench, Figure, Pairs, Result, run, timed

ENTRIES, VERSIONS = 1_000_000, 1000
FETCHES = 2000
ROUNDS = 5
RATIO_MAX = 1.5
GROWN, AT_ONCE = f"{PROJECT}/grown", f"{PROJECT}/at-once"


def measure(bench: Bench) -> Iterator[Figure]:
    home = bench.home()
    size, versions = bench.size(ENTRIES), bench.size(VERSIONS)
    built = run(home, build, store=home.store, entries=size, versions=versions)
    taken = run(home, ask, store=home.store, entries=size, rounds=ROUNDS)
    for what, unit in (("list", "s"), ("fetch", "s per entry")):
        pairs = Pairs(taken[what][GROWN], taken[what][AT_ONCE])
        yield pairs.figure(
            f"million-{what}",
            unit=unit,
            reach=f"at most {RATIO_MAX} x a version written at once",
            ok=pairs.ratio <= RATIO_MAX,
            detail={"entries": size, "versions": versions, "layers": taken["layers"], "build_s": built["seconds"]},
        )


def build(store: str, entries: int, versions: int) -> Result:
    """Both versions, of one content."""
    changed = [n * 7919 % entries for n in range(versions)]
    contents = [files([n], content=uuid4().hex) for n in changed]

    def write_all() -> None:
        with opened(store) as (stores, producer):
            write(stores, producer, version_events(GROWN, uuid4().hex, [files(range(entries))]))
            events: list[Event] = []
            for base, content in enumerate(contents):
                events += version_events(GROWN, uuid4().hex, [content], base=base)
            write(stores, producer, events)
            rest = [n for n in range(entries) if n not in set(changed)] if versions < entries else []
            write(stores, producer, version_events(AT_ONCE, uuid4().hex, [files(rest), *contents]))

    return {"seconds": timed(write_all)}


def ask(store: str, entries: int, rounds: int) -> Result:
    """Seconds of each question, the two versions turn by turn."""
    found: Result = {"list": {GROWN: [], AT_ONCE: []}, "fetch": {GROWN: [], AT_ONCE: []}}
    paths = [path_of(n) for n in random.Random(0).choices(range(entries), k=FETCHES)]
    with opened(store) as (stores, _):
        chains = {name: _chain(stores.database, name) for name in (GROWN, AT_ONCE)}
        for n in range(rounds):
            for name in (GROWN, AT_ONCE)[:: 1 if n % 2 else -1]:
                found["list"][name].append(timed(partial(_list, stores.database, chains[name], entries)))
                seconds = timed(partial(_fetch, stores.database, chains[name], paths))
                found["fetch"][name].append(seconds / len(paths))
    return {**found, "layers": {name: len(chain) for name, chain in chains.items()}}


def _chain(database: Database, name: str) -> tuple[int, ...]:
    version = queries.resolve_version(database, name, "latest")
    assert version is not None
    info = queries.version_info(database, name, version)
    assert info is not None
    return info.layers


def _list(database: Database, layers: tuple[int, ...], expected: int) -> None:
    assert sum(map(len, queries.all_entries(database, layers))) == expected


def _fetch(database: Database, layers: tuple[int, ...], paths: list[str]) -> None:
    for path in paths:
        assert queries.entry(database, layers, path) is not None
