"""What takes up room as last counted: for projects so large that counting them keeps one waiting.

It is kept in the operational tables by who counts a large project: `headwater maintain`, `usage --exact`, and whoever
finds nothing there. A small project is counted each time.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from headwater_consumer.queries.usage_totals import UsageTotals, is_large
from headwater_schemas.errors import StoreError, StoreMissing
from headwater_stores.leftovers import Amount

from headwater.cli.space import Counting, ProjectSpace, objects_of, read_projects

if TYPE_CHECKING:
    from headwater_consumer.operational.database import OperationalDatabase
    from headwater_consumer.queries import KeptUsage
    from headwater_stores.config.settings import Settings
    from headwater_stores.stores import Stores

T = TypeVar("T")
Keep = Callable[[str, UsageTotals], None]


@dataclass(frozen=True, slots=True)
class AsOf:
    """When something was counted."""

    cut: str  # the version events that are counted, as a cursor
    computed_us: int  # microseconds since 1970


def is_large_project(counting: Counting, project: str) -> bool:
    """Whether counting a project keeps one waiting."""
    versions = 0
    for count in counting.version_counts(project):
        versions += count
        if is_large(versions):
            return True
    return False


def kept_of(
    stores: "Stores", settings: "Settings", project: str, *, collection: str | None = None, limit: int = 1
) -> "KeptUsage | None":
    """What is kept of a project, or of one collection of it. Raises: StoreError."""
    if settings.server is not None:
        return stores.reads.kept_usage(project, collection=collection, limit=limit)
    from headwater_consumer.maintenance.usage_sums import kept_usage  # deferred: database

    def ask(operational: "OperationalDatabase") -> "KeptUsage | None":
        return kept_usage(operational, project, collection=collection, limit=limit)

    return _with_operational(settings, ask, create=False)


def kept_collection(stores: "Stores", settings: "Settings", collection: str) -> "KeptUsage | None":
    """What is kept of a collection, if it had so many versions that counting them keeps one waiting."""
    kept = kept_of(stores, settings, collection.rpartition("/")[0], collection=collection)
    return None if kept is None or not is_large(UsageTotals.of_text(kept.totals).versions) else kept


def space_as_kept(kept: "KeptUsage", project: str) -> tuple[ProjectSpace, list[tuple[str, UsageTotals]], AsOf]:
    """The project, its collections that take up most, and when they were counted."""
    objects = None if kept.objects is None else Amount(kept.objects, kept.object_bytes or 0)
    space = ProjectSpace(project, objects, UsageTotals.of_text(kept.totals), kept.collection_count)
    return space, [(name, UsageTotals.of_text(text)) for name, text in kept.collections], as_of(kept)


def as_of(kept: "KeptUsage") -> AsOf:
    """When it was counted."""
    return AsOf(kept.cut, kept.computed_us)


@contextmanager
def keeping(stores: "Stores", settings: "Settings", space: ProjectSpace) -> Iterator[Keep]:
    """Keep a project that is counted in this block, and each collection that is given to what this yields.

    Memory: the sums of all its collections. Who may not write keeps nothing, nor does a client of a server.
    """
    if settings.server is not None or stores.missing is not None:
        yield lambda _, __: None
        return
    from headwater_consumer.maintenance.usage_sums import keep_usage  # deferred: database
    from headwater_consumer.queries.event_starts import last_version_events  # deferred: database

    collections: list[tuple[str, UsageTotals]] = []
    cut = last_version_events(stores.database, stores.log.generation)  # first: what comes meanwhile may count or not
    yield lambda name, totals: collections.append((name, totals))
    objects = space.objects or objects_of(stores.blobs, space.project)

    def keep(operational: "OperationalDatabase") -> None:
        keep_usage(
            operational,
            space.project,
            space.totals,
            collections,
            objects=(objects.count, objects.size_bytes),
            cut=cut,
        )

    with suppress(StoreError):  # a reader who may not write; it is counted again
        _with_operational(settings, keep, create=True)


def count_large_projects(stores: "Stores", settings: "Settings") -> list[str]:
    """Count every large project in which something happened since that was done last; returns which these are.

    Raises: StoreError.
    """
    found = []
    with Counting(stores.reads, quiet=settings.quiet) as counting:
        for project in list(read_projects(stores.reads, None)):
            if is_large_project(counting, project) and not _is_current(stores, settings, project):
                space = ProjectSpace(project)
                with keeping(stores, settings, space) as keep:
                    for name, totals in space.count(counting):
                        keep(name, totals)
                found.append(project)
    return found


def _is_current(stores: "Stores", settings: "Settings", project: str) -> bool:
    """Whether what is kept of a project is what it takes up now; if so, it is marked as being of now."""
    from headwater_consumer.maintenance.usage_sums import is_current, keep_current  # deferred: database
    from headwater_consumer.queries.event_starts import last_version_events  # deferred: database

    kept = kept_of(stores, settings, project)
    cut = last_version_events(stores.database, stores.log.generation)
    if kept is None or not is_current(kept, stores.database, project, stores.log.generation):
        return False
    _with_operational(settings, lambda operational: keep_current(operational, project, cut=cut), create=True)
    return True


def _with_operational(settings: "Settings", ask: "Callable[[OperationalDatabase], T]", *, create: bool) -> T | None:
    """None where there are no operational tables, and none are made."""
    from headwater_stores.operational import open_operational  # deferred: database

    try:
        operational = open_operational(settings, create=create)
    except StoreMissing:
        return None
    with closing(operational):
        return ask(operational)
