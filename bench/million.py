"""List, and fetch one entry of, a version of 1,000,000 entries after 1,000 one-file versions.

Limit: the same on a version that was written at once, in the same store.
"""

import random
from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas.events import Event

from bench.fabricated import PROJECT, files, opened, path_of, version_events, write
from bench.harness import Bench, Figure, Pairs, Result, run, timed

ENTRIES, VERSIONS = 1_000_000, 1000
ROUNDS = 5
TURNS, FETCHES_PER_TURN = 20, 500  # short turns: what disturbs one version's turn soon disturbs the other's
RATIO_MAX = 1.5
Chain = tuple[int, ...]

GROWN, AT_ONCE = f"{PROJECT}/grown", f"{PROJECT}/at-once"


def measure(bench: Bench) -> Iterator[Figure]:
    home = bench.home()
    size, versions = bench.size(ENTRIES), bench.size(VERSIONS)
    built = run(home, build, store=home.store, entries=size, versions=versions)
    taken = run(home, ask, store=home.store, entries=size, rounds=ROUNDS)
    for what, unit in (("list", "s"), ("fetch", f"s for {FETCHES_PER_TURN} entries")):
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
    """Seconds of each question, the two versions turn by turn, after each was asked once to have it in memory."""
    listed: dict[str, list[float]] = {GROWN: [], AT_ONCE: []}
    fetched: dict[str, list[float]] = {GROWN: [], AT_ONCE: []}
    paths = [path_of(n) for n in random.Random(0).choices(range(entries), k=FETCHES_PER_TURN)]
    with opened(store) as (stores, _):
        chains = {name: _chain(stores.database, name) for name in (GROWN, AT_ONCE)}
        _in_turn(rounds, chains, lambda chain: _list(stores.database, chain, entries), listed)
        _in_turn(TURNS, chains, lambda chain: _fetch(stores.database, chain, paths), fetched)
    return {"list": listed, "fetch": fetched, "layers": {name: len(chain) for name, chain in chains.items()}}


def _in_turn(
    turns: int, chains: dict[str, Chain], question: Callable[[Chain], None], found: dict[str, list[float]]
) -> None:
    for chain in chains.values():
        question(chain)
    for n in range(turns):
        for name in (GROWN, AT_ONCE)[:: 1 if n % 2 else -1]:
            found[name].append(timed(partial(question, chains[name])))


def _chain(database: Database, name: str) -> Chain:
    version = queries.resolve_version(database, name, "latest")
    assert version is not None
    info = queries.version_info(database, name, version)
    assert info is not None
    return info.layers


def _list(database: Database, layers: Chain, expected: int) -> None:
    assert sum(map(len, queries.all_entries(database, layers))) == expected


def _fetch(database: Database, layers: Chain, paths: list[str]) -> None:
    for path in paths:
        assert queries.entry(database, layers, path) is not None
