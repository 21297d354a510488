"""Change one entry of a version: the time of reading the events, projecting and answering must not grow with its size.

Measured at 1,000, 100,000 and 1,000,000 entries; the first is the limit. The walk of the folder is not part of it.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

from headwater_consumer import queries
from headwater_producer.producer import Producer
from headwater_stores.stores import Stores

from bench.fabricated import CATCH_UP_S, PROJECT, files, opened, path_of, read_all, version_events, write
from bench.harness import Bench, Figure, Pairs, Result, run, settle

SIZES = (1000, 100_000, 1_000_000)
CHANGES = 40  # enough for the median to show layers being merged now and then
RATIO_MAX = 1.5  # room for one or two more levels of a B-tree, none for anything that grows with the entries
COLLECTION = f"{PROJECT}/changing"


def measure(bench: Bench) -> Iterator[Figure]:
    home = bench.home()
    stores = {str(size): str(home.folder / str(size)) for size in SIZES}
    for size in SIZES:
        run(home, build, store=stores[str(size)], entries=bench.size(size))
    taken: list[Result] = []
    for _ in range(bench.rounds):
        settle()
        taken.append(run(home, change, stores=stores, factor=bench.size(SIZES[0]) / SIZES[0]))
    small, middle, large = ([float(result[str(size)]["seconds"]) for result in taken] for size in SIZES)
    pairs = Pairs(large, small)
    detail = {f"at_{size}": _middle([result[str(size)] for result in taken]) for size in SIZES}
    yield pairs.figure(
        "change-cost",
        unit="s",
        reach=f"at most {RATIO_MAX} x from {SIZES[0]:,} to {SIZES[-1]:,} entries",
        ok=pairs.ratio <= RATIO_MAX and Pairs(middle, small).ratio <= RATIO_MAX,
        detail=detail,
    )


def build(store: str, entries: int) -> Result:
    """The version that will be changed."""
    with opened(store) as (stores, producer):
        write(stores, producer, version_events(COLLECTION, uuid4().hex, [files(range(entries))]))
    return {}


def change(stores: dict[str, str], factor: float) -> Result:
    """Median seconds of CHANGES changes of one entry each, every one judged before the next is made, at each size.

    The sizes take turns, so that whatever else happens on the machine happens to all of them.
    """
    taken: dict[str, list[dict[str, float]]] = {size: [] for size in stores}
    with ExitStack() as stack:
        sides = {size: stack.enter_context(opened(store)) for size, store in stores.items()}
        for n in range(CHANGES):
            for size, (store, producer) in sides.items():
                taken[size].append(_change(store, producer, n * 7919 % int(int(size) * factor)))
    return {size: _medians(changes) for size, changes in taken.items()}


def _medians(changes: list[dict[str, float]]) -> Result:
    totals = [sum(change.values()) for change in changes]
    parts = {part: statistics.median(change[part] for change in changes) for part in changes[0]}
    return {"seconds": statistics.median(totals), **parts, "slowest": max(totals)}


def _change(stores: Stores, producer: Producer, number: int) -> dict[str, float]:
    end = stores.log.end(0)
    latest = queries.resolve_version(stores.database, COLLECTION, "latest")
    batch = files([number], content=uuid4().hex)
    producer.send(version_events(COLLECTION, uuid4().hex, [batch], base=latest))
    cut = producer.confirm()
    start = time.perf_counter()
    list(read_all(stores.log, 0, after=end))
    read = time.perf_counter()
    stores.projection.catch_up(cut, timeout_s=CATCH_UP_S)
    projected = time.perf_counter()
    version = queries.resolve_version(stores.database, COLLECTION, "latest")
    assert version is not None
    info = queries.version_info(stores.database, COLLECTION, version)
    assert info is not None
    assert queries.entry(stores.database, info.layers, path_of(number)) is not None
    return {"read": read - start, "project": projected - read, "answer": time.perf_counter() - projected}


def _middle(results: list[Result]) -> Result:
    return {part: statistics.median(float(result[part]) for result in results) for part in results[0]}
