"""What takes up room in a store: counted for `headwater usage`, collection by collection and page by page."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater_consumer.queries.usage_totals import SizedVersion, UsageTotals
from headwater_schemas.object_names import FILES, PACKS
from headwater_stores.leftovers import Amount
from headwater_stores.telling.progress import Progress

from headwater._paging import read_rows
from headwater.cli.output import iso

if TYPE_CHECKING:
    from headwater_blobs.port import BlobStore, StoredObject
    from headwater_consumer.queries import ProjectInfo, VersionUsage
    from headwater_consumer.queries.reads import Reads

VERSIONS_PER_PAGE = 100  # a server answers so many at once, however many files they have
COLLECTIONS_PER_PAGE = PROJECTS_PER_PAGE = 100


class Counting:
    """Counts versions, and shows how far it is. A context manager."""

    def __init__(self, reads: "Reads", *, quiet: bool = False) -> None:
        self._reads = reads
        self._done = self._known = 0  # versions
        self._progress = Progress("counting versions", total=0, unit="", quiet=quiet)
        self._open = ExitStack()

    def __enter__(self) -> "Counting":
        self._open.enter_context(self._progress)
        return self

    def __exit__(self, *raised: Any) -> None:
        self._open.close()

    def collections(self, project: str) -> "Iterator[str]":
        """All of a project, those included of which every version is deleted."""

        def page(last: tuple[str, int] | None) -> list[tuple[str, int]]:
            after = None if last is None else last[0]
            found = self._reads.numbered_collections(project, after=after, limit=COLLECTIONS_PER_PAGE)
            self.expect(sum(count for _, count in found))
            return found

        return (name for name, _ in read_rows(page))

    def version_counts(self, project: str) -> "Iterator[int]":
        """Of each collection of a project, how many versions it ever had."""

        def page(last: tuple[str, int] | None) -> list[tuple[str, int]]:
            after = None if last is None else last[0]
            return self._reads.numbered_collections(project, after=after, limit=COLLECTIONS_PER_PAGE)

        return (count for _, count in read_rows(page))

    def expect(self, versions: int) -> None:
        """So many more are to be counted."""
        self._known += versions

    def versions(self, collection: str, *, after: int = -1) -> "Iterator[VersionUsage]":
        """All versions of a collection beyond a number, deleted ones included."""

        def page(last: "VersionUsage | None") -> "list[VersionUsage]":
            start = after if last is None else last.version
            found = self._reads.version_usages(collection, after=start, limit=VERSIONS_PER_PAGE)
            self._done += len(found)
            self._progress.report(self._done, max(self._known, self._done))
            return found

        return read_rows(page)


@dataclass(slots=True)
class ProjectSpace:
    """A project. Memory: that of its sums; what is done with its collections is up to who counts."""

    project: str
    objects: Amount | None = None  # in the store of bytes; None where a server does not tell
    totals: UsageTotals = field(default_factory=UsageTotals)
    collections: int = 0

    def count(self, counting: Counting) -> Iterator[tuple[str, UsageTotals]]:
        """Each collection with its sums, while this one's grow."""
        for collection in counting.collections(self.project):
            of_collection = UsageTotals()
            for usage in counting.versions(collection):
                of_collection.add(collection, usage, usage.to_collection)
                self.totals.add(collection, usage, usage.to_project)
            self.collections += 1
            yield collection, of_collection

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        objects = self.objects
        return {
            "project": self.project,
            **totals_json(self.totals),
            "objects": None if objects is None else objects.count,
            "object_bytes": None if objects is None else objects.size_bytes,
        }


def read_projects(reads: "Reads", entity: str | None) -> Iterator[str]:
    """All projects, or those of an entity, by name."""

    def page(last: "ProjectInfo | None") -> "list[ProjectInfo]":
        after = None if last is None else last.project
        return reads.project_infos(entity=entity, after=after, limit=PROJECTS_PER_PAGE)

    return (info.project for info in read_rows(page))


def objects_of(blobs: "BlobStore", project: str) -> Amount:
    """The objects of a project, and their bytes. Cost: lists them."""
    return summed(one for kind in (PACKS, FILES) for one in blobs.list_objects(f"{kind}/{project}/"))


def summed(found: "Iterable[StoredObject]") -> Amount:
    """The sum of a listing, however long it is."""
    count = size = 0
    for one in found:
        count += 1
        size += one.size
    return Amount(count, size)


def totals_json(totals: UsageTotals) -> dict[str, Any]:
    """For scripts."""
    return {
        "versions": totals.live_versions,
        "deleted_versions": totals.deleted_versions,
        "files": totals.files,
        "needed_bytes": totals.needed_bytes,
        "reclaimable_bytes": totals.reclaimable_bytes,
    }


def lists_json(totals: UsageTotals) -> dict[str, Any]:
    """The largest, the oldest, and the growth: for scripts."""
    return {
        "largest": list(map(_sized_json, totals.largest)),
        "oldest": list(map(_sized_json, totals.oldest)),
        "added_by_month": totals.added_by_month,
    }


def _sized_json(one: SizedVersion) -> Mapping[str, Any]:
    artifact = f"{one.collection}:v{one.version}"
    return {"artifact": artifact, "size_bytes": one.size_bytes, "created": iso(one.created_us)}
