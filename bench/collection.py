"""Collect a store of 1,000,000 packs with 10,000,000 contents, of which 1 % is dead.

Limit: listing the store, and deleting as many. The projection is real, with rows that are written at once instead of
logged; the objects are simulated. Seconds are those of the process and those that a bucket would have taken, see
`simulated_store`.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import cast

from headwater_blobs.file_places import FolderPlace
from headwater_blobs.port import BlobStore
from headwater_consumer import rows
from headwater_consumer.database import Database
from headwater_consumer.maintenance.collection import Collector
from headwater_consumer.rows.base import ProjectionRow
from headwater_schemas import digests
from headwater_schemas.events import Event, SettingsChanged, VersionDeleted
from headwater_schemas.positions import Cut

from bench.fabricated import CATCH_UP_S, FILE_BYTES, PROJECT, opened, path_of, write
from bench.harness import Bench, Figure, Laps, Pairs, Result, peak_bytes, run
from bench.page_rows import FIRST, FIRST_US, version_rows
from bench.simulated_store import NAMES_PER_REQUEST, SimulatedStore

VERSIONS, DEAD_SHARE = 1000, 100  # one in so many is dead
PACKS_EACH, CONTENTS_EACH = 1000, 10  # of a version, and of a pack
PACK_BYTES = CONTENTS_EACH * FILE_BYTES
RATIO_MAX = 2.0
PEAK_BYTES_MAX = 300_000_000
COLLECTION = f"{PROJECT}/collected"
DIGEST_START = digests.pack(digests.DEFAULT_ALGORITHM, bytes(16))[:1]


def measure(bench: Bench) -> Iterator[Figure]:
    versions, packs = bench.size(VERSIONS), PACKS_EACH if not bench.quick else 20
    home = bench.home()
    built = run(home, build, store=home.store, versions=versions, packs=packs)
    dead = max(1, versions // DEAD_SHARE)
    taken: list[Result] = []
    limits: list[Result] = []
    for turn in range(bench.rounds):
        sizes = {"versions": versions, "packs": packs, "dead": dead}
        limits.append(run(home, list_and_delete, **sizes))
        taken.append(run(home, collect, store=home.store, first=turn * dead, **sizes))
    pairs = Pairs([result["seconds"] for result in taken], [result["seconds"] for result in limits])
    freed = all(result["deleted"] == dead * packs for result in taken)
    sizes = {"objects": versions * packs, "contents": versions * packs * CONTENTS_EACH, "dead_objects": dead * packs}
    yield pairs.figure(
        "collection",
        unit="s",
        reach=f"at most {RATIO_MAX:g} x listing the store and deleting as many",
        ok=freed and pairs.ratio <= RATIO_MAX,
        detail={**sizes, "build_s": built["seconds"], "rounds": taken, "limits": limits},
    )
    peaks = [result["peak_bytes"] - result["names_bytes"] for result in taken]
    yield Figure(
        bench="collection-memory",
        value=max(peaks),
        unit="bytes",
        limit=None,
        ratio=None,
        reach=f"at most {PEAK_BYTES_MAX:,} bytes at the peak, without what the simulated objects take",
        ok=max(peaks) <= PEAK_BYTES_MAX,
        runs=peaks,
        detail=sizes,
    )


# --- for measured processes


def build(store: str, versions: int, packs: int) -> Result:
    """Some events, so that there is a log, and the versions as rows."""
    laps = Laps()
    with opened(store) as (stores, producer):
        write(stores, producer, [SettingsChanged(project=PROJECT, settings='{"restore_days":0}')])
        _fill(stores.database, versions, packs)
    laps.lap("build")
    return laps.result()


def list_and_delete(versions: int, packs: int, dead: int) -> Result:
    """All of the store, and so many."""
    store = SimulatedStore(_names(range(versions), packs), PACK_BYTES)
    laps = Laps()
    names = [one.name for one in store.list_objects()][: dead * packs]
    for start in range(0, len(names), NAMES_PER_REQUEST):
        store.delete(names[start : start + NAMES_PER_REQUEST])
    laps.lap("work")
    return _with_requests(laps, store)


def collect(store: str, first: int, dead: int, versions: int, packs: int) -> Result:
    """Versions from `first` on are deleted by events; then all that a collection does is measured."""
    before = peak_bytes()
    objects = SimulatedStore(_names(range(first, versions), packs), PACK_BYTES)
    names_bytes = peak_bytes() - before
    with opened(store) as (stores, producer):
        write(stores, producer, [_deletion(version) for version in range(first, first + dead)])

        def catch_up(cut: Cut | None) -> None:
            stores.projection.catch_up(cut, timeout_s=CATCH_UP_S)

        collector = Collector(
            stores.database,
            stores.log,
            cast(BlobStore, objects),
            FolderPlace(Path(store) / "collected"),
            now_us=int(time.time() * 1_000_000),
            grace_s=0,
            progress=lambda *_: None,
        )
        laps = Laps()
        freed = collector.collect(producer, catch_up)
        laps.lap("work")
    return {**_with_requests(laps, objects), "deleted": freed.total.objects, "names_bytes": names_bytes}


def _deletion(version: int) -> Event:
    return VersionDeleted(collection=COLLECTION, version=version, delete_aliases=True)


def _with_requests(laps: Laps, store: SimulatedStore) -> Result:
    result = laps.result()
    own_s = result["seconds"]
    return {**result, "seconds": own_s + store.requests_s, "own_s": own_s, "requests_s": store.requests_s}


# --- rows


def _names(versions: Iterable[int], packs: int) -> Iterator[str]:
    return (_name(version, pack) for version in versions for pack in range(packs))


def _name(version: int, pack: int) -> str:
    """As good as random, as those of packs are."""
    return f"packs/{PROJECT}/{sha256(f'{version}/{pack}'.encode()).hexdigest()[:32]}"


def _fill(database: Database, versions: int, packs: int) -> None:
    """Versions of one collection, each with a layer of its own and packs that only it names."""
    with database.transaction() as connection:
        upsert = partial(database.adapter.upsert_rows, connection)
        upsert(rows.CollectionRow, [rows.CollectionRow(COLLECTION, PROJECT, "dataset", versions, FIRST, FIRST_US)])
    for version in range(versions):
        names = [_name(version, pack) for pack in range(packs)]
        with database.transaction() as connection:
            upsert = partial(database.adapter.upsert_rows, connection)
            by_type: dict[type[ProjectionRow], list[ProjectionRow]] = defaultdict(list)
            for row in version_rows(COLLECTION, version, FIRST + version, None):
                by_type[type(row)].append(row)
            by_type[rows.ObjectLayerRow] = [rows.ObjectLayerRow(name, FIRST + version) for name in names]
            by_type[rows.EntryRow] = list(_entries(FIRST + version, version * packs * CONTENTS_EACH, names))
            for row_type, found in by_type.items():
                upsert(row_type, found)


def _entries(layer: int, first: int, names: Sequence[str]) -> Iterator[ProjectionRow]:
    for number, (name, place) in enumerate(product(names, range(CONTENTS_EACH))):
        digest = DIGEST_START + (first + number).to_bytes(16)  # in order, which is quick to write
        where = name, place * FILE_BYTES
        yield rows.EntryRow(layer, path_of(number), layer, 0, rows.FILE, FILE_BYTES, digest, *where, None, None, None)
