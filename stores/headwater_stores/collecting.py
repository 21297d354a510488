"""Collect what nothing needs any more: contents of purged versions, objects that nothing names, and staged bytes."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from headwater_consumer.maintenance.collection import Collector
from headwater_consumer.maintenance.freed import OF_VERSIONS, REWRITTEN, UNNAMED, Freed, Restorable, Sum
from headwater_producer.producer import Producer
from headwater_runtime.days import day_text
from headwater_schemas.archive_files import COLLECTIONS_PREFIX
from headwater_schemas.errors import StoreMissing
from headwater_schemas.positions import Cut

from headwater_stores.archive_places import place_beside_content
from headwater_stores.config.settings import Settings
from headwater_stores.leftovers import NOTHING, Reclaimed, reclaim
from headwater_stores.stores import Stores
from headwater_stores.telling.progress import Progress, counted, format_bytes

STAGED = "staged"
_KINDS = {
    OF_VERSIONS: "content of deleted versions",
    REWRITTEN: "packs whose rest was stored anew",
    UNNAMED: "content that nothing names",
}


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """What a collection freed, or would free."""

    dry_run: bool
    staged: Reclaimed
    freed: Freed
    missing: str | None = None  # why there is nothing: no store is there yet

    @property
    def ok(self) -> bool:
        """Whether nothing held it up."""
        return not (self.freed.unfinished or self.freed.parked or self.freed.refused)

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        freed, staged = self.freed, self.staged
        deleted = Sum(staged.deleted.count, staged.deleted.size_bytes)
        kinds = {kind: found.as_json() for kind, found in freed.kinds.items()}
        return {
            "dry_run": self.dry_run,
            "deleted": freed.total.objects + deleted.objects,
            "bytes_freed": freed.total.size_bytes + deleted.size_bytes,
            "recent": freed.recent.objects + staged.recent.count,
            "recent_bytes": freed.recent.size_bytes + staged.recent.size_bytes,
            "purged": freed.purged,
            "kinds": {**kinds, STAGED: deleted.as_json()},
            "collections": {owner: freed.owners[owner].as_json() for owner in sorted(freed.owners)},
            "restorable": [_restorable_json(project, found) for project, found in sorted(freed.restorable.items())],
            "unfinished": freed.unfinished + sum(freed.parked.values()),
            "not_freed": sum(freed.refused.values()),
            "packs_left": freed.packs_left,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        freed, verb = self.freed, "would reclaim" if self.dry_run else "reclaimed"
        if freed.purged:
            yield f"{'would purge' if self.dry_run else 'purged'} {counted(freed.purged, 'deleted version')}"
        if self.missing is not None:
            yield f"nothing to reclaim; {self.missing}"
        elif not (self.staged.deleted.count or freed.total.objects):
            yield "nothing to reclaim"
        if self.staged.deleted.count:
            yield f"{verb} {self.staged.deleted}"
        for kind, what in _KINDS.items():
            if freed.kinds[kind].objects:
                yield f"{verb} {_sum_text(freed.kinds[kind], what)}"
        for owner in sorted(freed.owners):
            yield f"  {format_bytes(freed.owners[owner].size_bytes)} of {owner}"
        if self.staged.recent.count:
            yield f"kept {self.staged.recent}, which is more recent than --grace"
        if freed.recent.objects:
            yield f"kept {_sum_text(freed.recent, _KINDS[UNNAMED])}, which is more recent than --grace"
        yield from (_restorable_text(project, found) for project, found in sorted(freed.restorable.items()))
        yield from freed.refused
        yield from _left_lines(freed)


def collect_store(
    stores: Stores,
    settings: Settings,
    producer: Producer,
    *,
    grace_s: float,
    wait_s: float,
    dry_run: bool,
    after_loss: bool,
) -> CollectionReport:
    """Delete what nothing needs; with `dry_run` only count it.

    `grace_s`: keep what was written within this time and that nothing names yet. `wait_s`: for how long to wait for all
    partitions to be projected. `after_loss`: what an older copy of the log lacks is lost. Raises: StoreUnavailable,
    also when that takes longer; RecordsGone where an older copy of the log was put back; StoreReadOnly.
    """
    with Progress("collecting", total=1, unit="", quiet=settings.quiet) as progress:
        staged = reclaim(stores.blobs, grace_s=grace_s, dry_run=dry_run)

        def catch_up(cut: Cut | None) -> None:
            stores.projection.catch_up(cut, timeout_s=wait_s)

        with closing(place_beside_content(settings, COLLECTIONS_PREFIX)) as place:
            collector = Collector(
                stores.database,
                stores.log,
                stores.blobs,
                place,
                now_us=int(time.time() * 1_000_000),
                grace_s=grace_s,
                progress=progress.report,
                after_loss=after_loss,
            )
            catch_up(None)
            freed = collector.preview() if dry_run else collector.collect(producer, catch_up)
    return CollectionReport(dry_run, staged, freed)


def nothing_collected(missing: StoreMissing, *, dry_run: bool) -> CollectionReport:
    """Of a store that does not exist yet."""
    return CollectionReport(dry_run, NOTHING, Freed(), str(missing))


def _left_lines(freed: Freed) -> Iterator[str]:
    """What the next collection has to do."""
    for project, kept in sorted(freed.parked.items()):
        yield (
            f"{counted(kept, 'object')} of {project} not deleted yet: a dead letter holds deleting up, since what "
            "waits behind it may name them. See `headwater dead-letters`, and run `headwater gc` again."
        )
    if freed.unfinished:
        yield (
            f"{counted(freed.unfinished, 'object')} not deleted yet: not every partition has condemned them. "
            "See `headwater doctor` for what holds it up, and run `headwater gc` again."
        )
    if freed.packs_left:
        yield (
            f"{counted(freed.packs_left, 'pack')} not written anew: the disk has no room for that. Once it has, run "
            "`headwater gc` again."
        )


def _sum_text(found: Sum, what: str) -> str:
    return f"{format_bytes(found.size_bytes)} of {what} in {counted(found.objects, 'object')}"


def _restorable_text(project: str, found: Restorable) -> str:
    versions = counted(found.versions, "version")
    size, days = format_bytes(found.sum.size_bytes), counted(found.days, "day")
    first, last = day_text(found.from_us), day_text(found.until_us)
    when = f"from {first} on" if first == last else f"from {first} on, all by {last}"
    return f"{versions} of {project} deleted less than {days} ago: {size} {when}"


def _restorable_json(project: str, found: Restorable) -> dict[str, object]:
    times = {"from": found.from_us, "until": found.until_us}
    texts = {name: datetime.fromtimestamp(us / 1_000_000, UTC).isoformat() for name, us in times.items()}
    return {"project": project, "versions": found.versions, **found.sum.as_json(), **texts}
