"""Many processes commit, beside one that deletes all but the newest versions and collects, again and again.

Limit: the same writers alone.
"""

import statistics
from collections.abc import Iterator
from pathlib import Path

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas.events import Event, SettingsChanged, VersionDeleted
from headwater_stores.collecting import collect_store
from headwater_stores.config.settings import read_settings

from bench.fabricated import CATCH_UP_S, PROJECT, opened, write
from bench.harness import Bench, Child, Figure, Home, Pairs, Result, run, settle
from bench.writers import commit, together

PROCESSES, COMMITS = 4, 50
KEPT = 5  # versions of each artifact
ARTIFACTS_MAX, VERSIONS_MAX = 100, 1000  # more than there are
GRACE_S = 24 * 3600.0  # as `headwater gc` has it
RATIO_MIN = 0.8


def measure(bench: Bench) -> Iterator[Figure]:
    commits = 5 if bench.quick else COMMITS
    collections: list[int] = []
    deleted: list[int] = []

    def alone() -> Result:
        return _committed(_new_home(bench), commits)

    def beside() -> Result:
        home, stop = _new_home(bench), bench.folder("stop")
        collector = Child(home, collect_until, store=home.store, stop=stop)
        try:
            collector.ready()
            collector.go()
            result = _committed(home, commits)
            stop.touch()
            told = collector.result()
            collector.let_end()
            collector.ended()
        finally:
            collector.kill()
        collections.append(told["collections"])
        deleted.append(told["deleted"])
        return result

    taken: list[Result] = []
    limits: list[Result] = []
    for n in range(bench.rounds):
        for take, results in ((beside, taken), (alone, limits))[:: 1 if n % 2 else -1]:
            settle()
            results.append(take())
    pairs = Pairs([result["per_second"] for result in taken], [result["per_second"] for result in limits])
    errors = sum(result["errors"] for result in taken)
    yield pairs.figure(
        "collection-writers",
        unit="commits/s",
        reach=f"at least {RATIO_MIN:g} x writers alone, no error",
        ok=pairs.ratio >= RATIO_MIN and errors == 0,
        detail={
            "processes": PROCESSES,
            "errors": errors,
            "collections": collections,
            "deleted_objects": deleted,
            "slowest_to_median": statistics.median(result["slowest_to_median"] for result in taken),
        },
    )


def _new_home(bench: Bench) -> Home:
    home = bench.home()
    run(home, begin, store=home.store)
    return home


def _committed(home: Home, commits: int) -> Result:
    return together([(home, {"name": f"own-{n}", "commits": commits}) for n in range(PROCESSES)], commit)


# --- for measured processes


def begin(store: str) -> Result:
    """A store in which what is deleted can be collected at once."""
    with opened(store) as (stores, producer):
        write(stores, producer, [SettingsChanged(project=PROJECT, settings='{"restore_days":0}')])
    return {}


def collect_until(store: str, stop: str) -> Result:
    """Delete and collect until the file `stop` is there."""
    collections, deleted = 0, 0
    settings = read_settings()
    with opened(store) as (stores, producer):
        while not Path(stop).exists():
            write(stores, producer, list(_old(stores.database)))
            report = collect_store(
                stores, settings, producer, grace_s=GRACE_S, wait_s=CATCH_UP_S, dry_run=False, after_loss=False
            )
            collections += 1
            deleted += report.freed.total.objects
    return {"collections": collections, "deleted": deleted}


def _old(database: Database) -> Iterator[Event]:
    for one in queries.collections(database, PROJECT, limit=ARTIFACTS_MAX):
        for info in queries.version_infos(database, one.collection, limit=VERSIONS_MAX)[KEPT:]:
            yield VersionDeleted(collection=one.collection, version=info.version, delete_aliases=True)
