"""What an export has: the versions that were asked for, what they were made from, and the runs between them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from headwater_consumer import queries
from headwater_consumer.queries import RunInfo, RunInputInfo, VersionInfo
from headwater_consumer.queries.versions import epoch_of_version
from headwater_schemas.errors import NotFound
from headwater_schemas.provenance import Provenance

from headwater_stores.stores import Stores

VERSIONS_MAX = 100_000  # of one export
_PAGE = 1000
_Key = tuple[str, int]


@dataclass(slots=True)
class Closure:
    """What is exported; versions in order, so that each comes after those that it may differ from."""

    versions: list[_Key] = field(default_factory=list)
    runs: dict[_Key, list[str]] = field(default_factory=dict)  # that logged each, the first run first
    all_runs: list[str] = field(default_factory=list)


def closure_of(stores: Stores, wanted: Iterable[_Key], *, upstream: bool) -> Closure:
    """The versions `wanted`, with `upstream` all that they were made from. Raises: NotFound for more than fit."""
    versions: set[_Key] = set()
    loggers: dict[_Key, set[str]] = {}
    for collection, version in sorted(wanted, reverse=True):  # of one artifact, the older ones were often used
        if upstream and (collection, version) in versions:
            continue  # with all that it was made from
        lineage = queries.ancestry(stores.database, collection, version, nodes_max=VERSIONS_MAX)
        versions.add((collection, version))
        for edge in lineage.edges:
            key = edge.collection, edge.version
            if upstream:
                versions.add(key)
            if not edge.used and (upstream or key == (collection, version)):
                loggers.setdefault(key, set()).add(edge.run)
        if (lineage.truncated and upstream) or len(versions) > VERSIONS_MAX:
            raise NotFound(
                f"{collection}:v{version} was made from more than {VERSIONS_MAX:,} versions. Export fewer, or give "
                "--no-upstream."
            )
    return Closure(
        sorted(versions),
        {key: sorted(runs) for key, runs in loggers.items()},
        sorted({run for runs in loggers.values() for run in runs}),
    )


def info_of(stores: Stores, key: _Key) -> VersionInfo:
    """A version of the closure, deleted ones too."""
    info = queries.version_info(stores.database, *key)
    assert info is not None, "an edge leads to a version that does not exist"
    return info


def origin_of(stores: Stores, info: VersionInfo) -> Provenance:
    """Where a version was committed first: also of one that was imported, and of a copy of a store."""
    if info.imported:
        return info.imported[0]
    epoch = epoch_of_version(stores.database, info.collection, info.version)
    store = (*stores.log.ancestors, stores.log.generation)[epoch]
    return Provenance(store, f"{info.collection}:v{info.version}", info.author, info.created_us)


def runs_of(stores: Stores, closure: Closure) -> Iterator[RunInfo]:
    """The runs that are known."""
    for run in closure.all_runs:
        if (info := queries.run_info(stores.database, run)) is not None:
            yield info


def uses_of(stores: Stores, closure: Closure) -> Iterator[RunInputInfo]:
    """What the runs used, as far as it is exported."""
    exported = set(closure.versions)
    for run in closure.all_runs:
        after = "", -1
        while page := queries.inputs_of(stores.database, run, after=after, limit=_PAGE):
            yield from (use for use in page if (use.collection, use.version) in exported)
            after = page[-1].collection, page[-1].version
