"""Change one of 1,000,000 entries through a draft, as a user does, and look one entry up. Limit: the same of 1,000.

Both versions are in one store, and take turns. Time, and the bytes that log and objects grow by, must not differ.
"""

import statistics
import time
from collections.abc import Iterator
from uuid import uuid4

import headwater

from bench.fabricated import PROJECT, files, opened, path_of, version_events, write
from bench.harness import Bench, Figure, Home, Pairs, Result, run, settle

SIZES = {"small": 1000, "large": 1_000_000}
CHANGES, LOOKUPS = 20, 200
COUNTED = 100  # changes whose bytes are counted
RATIO_MAX = 1.5  # one or two more levels of a B-tree, and nothing that grows with the entries
BYTES_RATIO_MAX = 1.1  # a path has more digits


def measure(bench: Bench) -> Iterator[Figure]:
    home = bench.home()
    run(home, build, store=home.store, factor=bench.size(SIZES["small"]) / SIZES["small"])
    counts = {name: bench.size(size) for name, size in SIZES.items()}
    changed: list[Result] = []
    looked: list[Result] = []
    for _ in range(bench.rounds):
        settle()
        changed.append(run(home, change, counts=counts))
        settle()
        looked.append(run(home, look_up, counts=counts))
    grown = {name: _growth(home, name, count) for name, count in counts.items()}
    bytes_ratio = grown["large"] / grown["small"]
    seconds = Pairs(*[[result[name] for result in changed] for name in ("large", "small")])
    yield seconds.figure(
        "draft-change",
        unit="s",
        reach=f"at most {RATIO_MAX} x of a draft of {SIZES['small']:,} entries, and {BYTES_RATIO_MAX} x its bytes",
        ok=seconds.ratio <= RATIO_MAX and bytes_ratio <= BYTES_RATIO_MAX,
        detail={"entries": counts, "grown_bytes": grown, "bytes_ratio": bytes_ratio},
    )
    found = Pairs(*[[result[name] for result in looked] for name in ("large", "small")])
    yield found.figure(
        "get-entry",
        unit="s",
        reach=f"at most {RATIO_MAX} x of a version of {SIZES['small']:,} entries",
        ok=found.ratio <= RATIO_MAX,
        detail={"entries": counts},
    )


def build(store: str, factor: float) -> Result:
    """Both versions."""
    with opened(store) as (stores, producer):
        for name, size in SIZES.items():
            entries = max(1, int(size * factor))
            write(stores, producer, version_events(f"{PROJECT}/{name}", uuid4().hex, [files(range(entries))]))
    return {}


def change(counts: dict[str, int]) -> Result:
    """Median seconds of a draft of one change, from asking for the version to knowing the next."""
    taken: dict[str, list[float]] = {name: [] for name in counts}
    for n in range(CHANGES):
        for name, count in counts.items():
            start = time.perf_counter()
            _change_one(name, n * 7919 % count)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def look_up(counts: dict[str, int]) -> Result:
    """Median seconds of one `get_entry`."""
    artifacts = {name: headwater.Api().artifact(name) for name in counts}
    taken: dict[str, list[float]] = {name: [] for name in counts}
    for n in range(LOOKUPS):
        for name, count in counts.items():
            path = path_of(n * 7919 % count)
            start = time.perf_counter()
            artifacts[name].get_entry(path)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def change_some(name: str, numbers: list[int]) -> Result:
    """Changes of one version by a process of its own."""
    for number in numbers:
        _change_one(name, number)
    return {}


def _change_one(name: str, number: int) -> None:
    draft = headwater.Api().artifact(name).new_draft()
    with draft.new_file(path_of(number)) as file:
        file.write(uuid4().hex)
    draft.save()


def _growth(home: Home, name: str, count: int) -> float:
    """Bytes that log and objects grow by for one change; the log's file grows by pages, so that many changes tell."""
    before = home.sizes()
    run(home, change_some, name=name, numbers=[n * 7907 % count for n in range(COUNTED)])
    after = home.sizes()
    return sum(after[part] - before[part] for part in ("log", "blobs")) / COUNTED
