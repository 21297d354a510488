"""What takes up room in a project, or in one collection: counted while one waits, and so within a bound of time."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.maintenance.usage_sums import kept_usage
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.queries import KeptUsage
from headwater_consumer.queries.usage import usages_within
from headwater_consumer.queries.usage_totals import UsageTotals, is_large

from headwater_server.http.problems import not_found

COUNTED_S_MAX = 3.0
COLLECTIONS_SHOWN = 50
COLLECTIONS_PER_PAGE = 100
MONTHS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Sums:
    """What versions take up. Each content counts once."""

    versions: int  # live ones
    deleted_versions: int
    files: int  # of live versions, references included
    needed_bytes: int  # of contents that live versions or open drafts of the project have
    reclaimable_bytes: int  # of contents that only deleted versions have


@dataclass(frozen=True, slots=True)
class CollectionLine:
    """One collection of a project. What it shares with another counts for both."""

    collection: str
    name: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A live version among the largest, or the oldest."""

    collection: str
    version: int
    size_bytes: int
    created_us: int


@dataclass(frozen=True, slots=True)
class Month:
    """What the versions of one month added that none before them had."""

    month: str  # "2026-11"
    added_bytes: int


@dataclass(frozen=True, slots=True)
class Space:
    """A project, or one collection of it."""

    project: str
    collection: str | None  # None: it is of the whole project
    name: str | None  # of the collection
    is_complete: bool  # if not, all sums are of what was counted in time: there is more
    as_of_us: int | None  # when it was counted; None: just now
    sums: Sums
    collections: Sequence[CollectionLine]  # those with the most, the first COLLECTIONS_SHOWN; none for a collection
    collections_more: int  # that were counted and are not shown
    largest: Sequence[VersionLine]
    oldest: Sequence[VersionLine]
    months: Sequence[Month]  # the last MONTHS_SHOWN in which something was logged, the newest first


class _Counting:
    """Counts versions until it is time to stop."""

    def __init__(self, database: Database, seconds_max: float) -> None:
        self._database = database
        self._deadline = time.monotonic() + seconds_max
        self.is_complete = True
        self.totals = UsageTotals()  # of the project
        self.collections = 0

    def collections_of(self, project: str) -> Iterator[tuple[str, UsageTotals]]:
        """Each collection of a project with its sums, as far as there is time."""
        for name in self._names(project):
            self.collections += 1
            yield name, self.collection(name)
            if not self.is_complete:
                return

    def _names(self, project: str) -> Iterator[str]:
        after = None
        while page := queries.numbered_collections(self._database, project, after=after, limit=COLLECTIONS_PER_PAGE):
            yield from [name for name, _ in page]
            after = page[-1][0]

    def collection(self, name: str) -> UsageTotals:
        """The sums of a collection, as far as there is time."""
        totals = UsageTotals()
        found, self.is_complete = usages_within(self._database, name, seconds_max=self._deadline - time.monotonic())
        for usage in found:
            totals.add(name, usage, usage.to_collection)
            self.totals.add(name, usage, usage.to_project)
        return totals


def project_space(
    database: Database, operational: OperationalDatabase, *, project: str, seconds_max: float = COUNTED_S_MAX
) -> Space:
    """Of a project that may be read: as it is, or as it was last counted where it is large and that is known.

    Cost: as `version_usages` for all its versions; about `seconds_max` at most.
    """
    if not queries.has_begun(database, project):
        raise not_found(f"project {project}")
    kept = kept_usage(operational, project, limit=COLLECTIONS_SHOWN)
    if kept is not None:  # only large projects are kept
        lines = _lines((name, UsageTotals.of_text(text)) for name, text in kept.collections)
        return _kept_space(project, None, kept, lines)
    counting = _Counting(database, seconds_max)
    shown = nlargest(COLLECTIONS_SHOWN, counting.collections_of(project), key=lambda one: one[1].stored_bytes)
    return _space(project, None, counting.totals, _lines(shown), counting.collections, is_complete=counting.is_complete)


def collection_space(
    database: Database, operational: OperationalDatabase, *, collection: str, seconds_max: float = COUNTED_S_MAX
) -> Space:
    """Of a collection that may be read; as `project_space`."""
    if queries.collection_info(database, collection) is None:
        raise not_found(collection)
    project = collection.rpartition("/")[0]
    kept = kept_usage(operational, project, collection=collection)
    if kept is not None and is_large(UsageTotals.of_text(kept.totals).versions):
        return _kept_space(project, collection, kept, [])
    counting = _Counting(database, seconds_max)
    totals = counting.collection(collection)
    return _space(project, collection, totals, [], 0, is_complete=counting.is_complete)


def _lines(counted: Iterable[tuple[str, UsageTotals]]) -> list[CollectionLine]:
    return [CollectionLine(name, name.rpartition("/")[2], _sums(totals)) for name, totals in counted]


def _kept_space(project: str, collection: str | None, kept: KeptUsage, lines: Sequence[CollectionLine]) -> Space:
    totals, collections = UsageTotals.of_text(kept.totals), 0 if collection else kept.collection_count
    return replace(_space(project, collection, totals, lines, collections), as_of_us=kept.computed_us)


def _space(
    project: str,
    collection: str | None,
    totals: UsageTotals,
    lines: Sequence[CollectionLine],
    collections: int,
    *,
    is_complete: bool = True,
) -> Space:
    months = list(totals.added_by_month.items())[-MONTHS_SHOWN:]
    return Space(
        project=project,
        collection=collection,
        name=None if collection is None else collection.rpartition("/")[2],
        is_complete=is_complete,
        as_of_us=None,
        sums=_sums(totals),
        collections=lines,
        collections_more=max(0, collections - len(lines)),
        largest=[VersionLine(*one) for one in totals.largest],
        oldest=[VersionLine(*one) for one in totals.oldest],
        months=[Month(month, added) for month, added in reversed(months)],
    )


def _sums(totals: UsageTotals) -> Sums:
    return Sums(
        versions=totals.live_versions,
        deleted_versions=totals.deleted_versions,
        files=totals.files,
        needed_bytes=totals.needed_bytes,
        reclaimable_bytes=totals.reclaimable_bytes,
    )
