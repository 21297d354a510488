"""Collection: delete the objects that nothing needs, beside everybody who goes on writing and reading.

The order is what makes it safe. Versions are purged, and only when that is judged does it mark what nothing needs any
more. That is condemned by an event to every partition, after which no later event may rely on it. When every partition
has it, it looks once more, since a writer may have relied on an object before the event reached its partition; such an
object stays. What is still not needed is deleted. Whoever ends it at any step loses nothing: the next run finds what
was condemned everywhere and is still there.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice

from headwater_blobs.file_places import FilePlace
from headwater_blobs.port import BlobStore, StoredObject
from headwater_eventlog.port import EventLog
from headwater_producer.producer import Producer
from headwater_schemas.errors import NotFreed
from headwater_schemas.events import BlobsCondemned
from headwater_schemas.object_names import project_of
from headwater_schemas.positions import Cut

from headwater_consumer.database import Database
from headwater_consumer.maintenance.broadcasts import finish_broadcasts
from headwater_consumer.maintenance.collected import Collected
from headwater_consumer.maintenance.freed import Freed, Restorable
from headwater_consumer.maintenance.purging import DatedDeletion, dated_deletions, purge
from headwater_consumer.maintenance.rewriting import PackRewriter, SparsePack, sparse_packs
from headwater_consumer.maintenance.seen_log import check_seen
from headwater_consumer.queries.broadcasts import condemned_among
from headwater_consumer.queries.deletions import purged_after
from headwater_consumer.queries.holders import Holders, Version
from headwater_consumer.queries.needed_objects import needed_objects, successors, unnamed_objects
from headwater_consumer.queries.projects import restore_days
from headwater_consumer.queries.store_health import log_cursors, parked_projects
from headwater_consumer.queries.unneeded_objects import examined_objects, rewritten_objects

OBJECTS_PER_PAGE = 1000  # of the listing
CONDEMNED_PER_EVENT = 500  # names; an event has less than a megabyte
UNNAMED_MAX = 100_000  # of one run, which are remembered until they are deleted; the next one finds the rest

CatchUp = Callable[[Cut | None], None]  # wait until this is projected; None: all that is on the log
Progress = Callable[[int, int], None]  # objects looked at, and how many there are as far as one knows


class Collector:
    """One run of a collection."""

    def __init__(
        self,
        database: Database,
        log: EventLog,
        blobs: BlobStore,
        place: FilePlace,
        *,
        now_us: int,
        grace_s: float,
        progress: Progress,
        after_loss: bool = False,
    ) -> None:
        """`place`: where it remembers how far it has looked. `grace_s`: for so long an object is kept that nothing
        names, since its writer may be about to. `after_loss`: events that were seen are lost, and given up.

        Raises: RecordsGone where the log lacks what a collection has seen; StoreUnavailable, FormatTooNew.
        """
        self._database, self._log, self._blobs, self._place = database, log, blobs, place
        self._now_us, self._grace_s = now_us, grace_s
        self._progress = progress
        self._before = Collected() if after_loss else Collected.load(place)
        check_seen(log, self._before.seen)
        self._rewritten: dict[str, int] = {}  # pack → bytes of it that were stored anew
        self._examined: dict[int, int] = {}  # as of `Collected`, in this run
        self.freed = Freed()

    def preview(self) -> Freed:
        """What `collect` would free now. Changes nothing."""
        due = frozenset(one.version for one in self._due())
        self.freed.purged = len(due)
        counted: set[str] = set()
        parked = parked_projects(self._database)
        versions = chain(self._purged(), sorted(due))
        for part in examined_objects(self._database, versions, self._before.held, without=due):
            found = self._stored(part.free)
            sparse = {pack.name: pack for pack in self._sparse(part.used, due, parked)}
            self.freed.add(self._database, self.freed.without_parked(found, parked))
            self.freed.add_rewritten(self._database, {one.name: one.dead_bytes for one in sparse.values()})
            counted.update(sparse, [one.name for one in found])
        for page in self._pages():
            named = [one for one in page if one.name not in counted]
            condemned = condemned_among(self._database, [one.name for one in named])
            free = self._not_needed([one for one in named if one.name in condemned], due)
            free += self._left([one for one in named if one.name not in condemned], due)
            self.freed.add(self._database, self.freed.without_parked(free, parked))
        self._count_restorable(due)
        return self.freed

    def collect(self, producer: Producer, catch_up: CatchUp) -> Freed:
        """Purge, condemn and delete. Raises: as `Producer.confirm` and `catch_up`; StoreUnavailable, StoreReadOnly."""
        finish_broadcasts(self._database, self._log)
        catch_up(None)
        self._purge(producer)
        catch_up(producer.confirm())
        held = self._mark(producer, catch_up)
        catch_up(producer.confirm())
        self._note_seen()
        unnamed = self._sweep(catch_up)
        self._condemn(producer, [one.name for one in unnamed])
        catch_up(producer.confirm())
        self._note_seen()
        for start in range(0, len(unnamed), OBJECTS_PER_PAGE):
            self._delete_condemned(unnamed[start : start + OBJECTS_PER_PAGE], catch_up)
        if not (self.freed.unfinished or self.freed.parked or self.freed.packs_left):
            self._before.after(self._examined, held).save(self._place)
        self._count_restorable(frozenset())
        return self.freed

    def _mark(self, producer: Producer, catch_up: CatchUp) -> list[str]:
        """Condemn what purging has left unneeded, and store anew what is needed of packs that are partly dead.

        Returns the objects that only open drafts need.
        """
        held: list[str] = []
        parked = parked_projects(self._database)
        rewriter = PackRewriter(self._blobs, producer, self._rewritten)
        for part in examined_objects(self._database, self._purged(), self._before.held):
            held += part.held
            self._condemn(producer, [one.name for one in self._stored(part.free)])
            for pack in self._sparse(part.used, frozenset(), parked):
                rewriter.add(pack)
        rewriter.flush()
        self.freed.packs_left = rewriter.left
        if self._rewritten:
            catch_up(producer.confirm())
            # Of two that rewrote one pack at once, one did so in vain.
            moved = self._stored(successors(self._database, self._rewritten))
            self._condemn(producer, [one.name for one in self._not_needed(moved, frozenset())])
        return held

    def _sparse(
        self, names: Sequence[str], without: frozenset[Version], parked: Collection[str]
    ) -> Iterator[SparsePack]:
        """Packs that are worth to be rewritten: where events are parked, the old ones would stay."""
        for pack in sparse_packs(self._database, self._blobs, names, without):
            if self.freed.without_parked([StoredObject(pack.name, pack.size, 0.0)], parked):
                yield pack

    def _note_seen(self) -> None:
        """Before anything is deleted by what the log says."""
        self._before = self._before.seeing(log_cursors(self._database))
        self._before.save(self._place)

    # --- what is purged

    def _purge(self, producer: Producer) -> None:
        self.freed.purged = purge(producer, self._due())

    def _due(self) -> Iterator[DatedDeletion]:
        return (one for one in dated_deletions(self._database) if one.until_us <= self._now_us)

    def _purged(self) -> Iterator[Version]:
        """What was purged since the last run looked."""
        for partition in range(self._log.partitions):
            for page in purged_after(self._database, partition, self._before.examined.get(partition)):
                for one in page:
                    yield one.collection, one.version
                    self._examined[partition] = one.position

    def _count_restorable(self, due: frozenset[Version]) -> None:
        """What comes free later, by project."""
        later: dict[str, list[DatedDeletion]] = defaultdict(list)
        for one in dated_deletions(self._database):
            if one.until_us > self._now_us:
                later[one.project].append(one)
        for project, deleted in later.items():
            times = [one.until_us for one in deleted]
            days = restore_days(self._database, project)
            found = Restorable(days, len(deleted), min(times), max(times))
            versions = [one.version for one in deleted]
            for part in examined_objects(self._database, versions, without=due.union(versions)):
                for stored in self._stored(part.free):
                    found.sum.add(stored.size)
            self.freed.restorable[project] = found

    # --- what is condemned

    def _condemn(self, producer: Producer, names: Sequence[str]) -> None:
        """Send the events that condemn these objects; those that every partition has condemned need none."""
        known = condemned_among(self._database, names)
        of_project: dict[str, list[str]] = defaultdict(list)
        for name in names:
            if known.get(name, 0) < self._log.partitions:
                of_project[project_of(name)].append(name)
        for project, some in sorted(of_project.items()):
            for start in range(0, len(some), CONDEMNED_PER_EVENT):
                objects = tuple(some[start : start + CONDEMNED_PER_EVENT])
                producer.send([BlobsCondemned(broadcast=uuid.uuid4().hex, project=project, objects=objects)])
        producer.confirm()

    # --- what is stored

    def _pages(self) -> Iterator[list[StoredObject]]:
        listed, seen = self._blobs.list_objects(), 0
        while page := list(islice(listed, OBJECTS_PER_PAGE)):
            seen += len(page)
            self._progress(seen, seen)
            yield page

    def _sweep(self, catch_up: CatchUp) -> list[StoredObject]:
        """Delete what every partition has condemned and nothing needs; returns what else nothing needs, see `_left`."""
        unnamed: list[StoredObject] = []
        waiting: list[StoredObject] = []  # to be deleted many at once: a bucket takes as long for one
        for page in self._pages():
            condemned = condemned_among(self._database, [one.name for one in page])
            waiting += [one for one in page if one.name in condemned]
            if len(waiting) >= OBJECTS_PER_PAGE:
                self._delete_condemned(waiting, catch_up)
                waiting = []
            found = self._left([one for one in page if one.name not in condemned], frozenset())
            unnamed += found[: UNNAMED_MAX - len(unnamed)]
        self._delete_condemned(waiting, catch_up)
        return unnamed

    def _delete_condemned(self, objects: Sequence[StoredObject], catch_up: CatchUp) -> None:
        """Delete those that all partitions have condemned and nothing needs."""
        names = [one.name for one in objects]
        condemned = condemned_among(self._database, names)
        if any(partitions < self._log.partitions for partitions in condemned.values()):
            catch_up(None)  # another collection condemns them at this moment
            condemned = condemned_among(self._database, names)
        everywhere = [one for one in objects if condemned.get(one.name, 0) >= self._log.partitions]
        self.freed.unfinished += len(condemned) - len(everywhere)
        # In this order: what came before a condemnation is judged by now or parked, and what is judged is looked at.
        parked = parked_projects(self._database)
        free = self.freed.without_parked(self._not_needed(everywhere, frozenset()), parked)
        try:
            self._blobs.delete([one.name for one in free])
        except NotFreed as refused:
            self.freed.refused[str(refused)] = len(refused.names)
            free = [one for one in free if one.name not in refused.names]
        anew = {one.name: one.size - self._rewritten[one.name] for one in free if one.name in self._rewritten}
        self.freed.add(self._database, [one for one in free if one.name not in anew])
        self.freed.add_rewritten(self._database, anew)

    def _not_needed(self, objects: Sequence[StoredObject], without: frozenset[Version]) -> list[StoredObject]:
        of_project: dict[str, list[str]] = defaultdict(list)
        for one in objects:
            of_project[project_of(one.name)].append(one.name)
        needed: set[str] = set()
        for project, names in of_project.items():
            needed |= needed_objects(self._database, names, Holders(project, without, restorable=True))
        return [one for one in objects if one.name not in needed]

    def _left(self, objects: Sequence[StoredObject], without: frozenset[Version]) -> list[StoredObject]:
        """Those that nothing names, or of which all content was stored anew, such as where they were damaged."""
        moved = rewritten_objects(self._database, [one.name for one in objects])
        named = [one for one in objects if one.name not in moved]
        return self._unnamed(named) + self._not_needed([one for one in objects if one.name in moved], without)

    def _unnamed(self, objects: Sequence[StoredObject]) -> list[StoredObject]:
        """Those that nothing names, and that are old enough that their writer is gone."""
        unnamed = unnamed_objects(self._database, [one.name for one in objects])
        found: list[StoredObject] = []
        for one in objects:
            if one.name not in unnamed:
                continue
            if one.modified_s * 1e6 <= self._now_us - self._grace_s * 1e6:
                found.append(one)
            else:
                self.freed.recent.add(one.size)
        return found

    def _stored(self, names: Iterable[str]) -> list[StoredObject]:
        """Those that are there, with their sizes. An object that cannot be opened is deleted as any other."""
        sizes = self._blobs.sizes(names)
        return [StoredObject(name, max(0, size), 0.0) for name, size in sorted(sizes.items())]
