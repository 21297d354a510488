"""Processes that run as long as the world does: projectors, an operator, readers, and nature, which breaks things."""

from collections.abc import Iterator, Sequence

from headwater_consumer import queries
from headwater_consumer.database import driver_connection
from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.queries.results import EntryInfo
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.writing.announcements import announce
from headwater_consumer.writing.batches import Batch
from headwater_consumer.writing.runner import Projector, StaleProjector
from headwater_eventlog.port import NewRecord
from headwater_producer.producer import Producer, Timer
from headwater_schemas import keys
from headwater_schemas.errors import DurabilityUnknown, StoreUnavailable
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.events import DEAD_LETTER_DECISIONS, DeadLetterResolved
from headwater_schemas.positions import BEFORE_FIRST, Position, position_of

from tests.simulation import simulated_blobs, simulated_database, simulated_log, views
from tests.simulation.checks import check_read, check_seen
from tests.simulation.faults import Fault
from tests.simulation.simulated_blobs import ProcessBlobs
from tests.simulation.simulated_database import ProcessDatabase
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.views import Shown
from tests.simulation.world import Process
from tests.simulation.writers import COLLECTIONS, PROJECTED_PER_BATCH

COMPARED_RATE = 0.1  # of a projector's polls, after which it compares its cursors with the database's
READER_RATE = 0.25  # of its steps; looking costs more than anything else does
DECISION_RATES = (0.02, 0.5)  # of an operator's looks at a dead letter: the longer it waits, the more is parked
SNAPSHOTS_MAX = 3
EVENTS_READ_MAX = 4
FULL_STEPS_MAX = 40
DUPLICATES_MAX = 4
POISONED_MAX = 3  # records at once: what is parked must be worth telling now and then
STOPPED_STEPS_MAX = 80


class EmbeddedProjector(Process):
    """Reads from where the database stands, as a process that waits for an answer does."""

    has_end = False

    def script(self) -> Iterator[None]:
        random = self.world.random
        log, database = ProcessLog(self), ProcessDatabase(self)
        per_batch = random.choice(PROJECTED_PER_BATCH)
        projector = Projector(log, database, records_per_batch=per_batch, sleep=self.world.sleep)
        while True:
            yield
            partition = random.randrange(log.partitions)
            if self.world.is_stopped(partition) or self.world.is_projected(partition):
                continue
            try:
                if count := projector.project_batch(partition):
                    reached = self.world.cursor.get(partition, BEFORE_FIRST)
                    self.note(f"projects {count} of {partition} to {reached}")
                    announce(database, log.generation, {partition: reached})
            except (StaleProjector, StoreUnavailable) as error:
                self.note(f"{type(error).__name__} {error}")

    def idle(self) -> bool:
        return all(map(self.world.is_projected, range(len(self.world.log.partitions))))


class GroupProjector(EmbeddedProjector):
    """Polls several partitions at once, and remembers where it left each, as a consumer of a group does."""

    def script(self) -> Iterator[None]:
        log, database = ProcessLog(self), ProcessDatabase(self)
        projector = Projector(log, database, sleep=self.world.sleep)
        cursors: dict[int, LogPositionRow] = {}
        while True:
            yield
            try:
                polled = self._polled(log)
                if polled and self.world.random.random() < COMPARED_RATE:
                    cursors.update(projector.cursors(cursors.keys()))
                batches = [self._batch(projector, log, cursors, partition) for partition in polled]
                if batches := [batch for batch in batches if batch.records]:
                    self._apply(projector, cursors, batches)
                    announce(database, log.generation, {p: cursor.offset for p, cursor in cursors.items()})
            except StoreUnavailable as error:
                self.note(f"StoreUnavailable {error}")

    def _polled(self, log: ProcessLog) -> list[int]:
        """Some of the partitions that are not at their end, in any order."""
        behind = [partition for partition in range(log.partitions) if not self.world.is_projected(partition)]
        open_ones = [partition for partition in behind if not self.world.is_stopped(partition)]
        return self.world.random.sample(open_ones, self.world.random.randint(0, len(open_ones)))

    def _batch(
        self, projector: Projector, log: ProcessLog, cursors: dict[int, LogPositionRow], partition: int
    ) -> Batch:
        cursor = cursors[partition] = cursors.get(partition) or projector.cursor(partition)
        return Batch(cursor, log.read(partition, after=cursor.offset))

    def _apply(self, projector: Projector, cursors: dict[int, LogPositionRow], batches: list[Batch]) -> None:
        for partition, applied in projector.apply(batches).items():
            cursors[partition] = applied.cursor
            self.note(f"projects {applied.count} of {partition} to {applied.cursor.offset}")
            if applied.stopped is not None:
                del cursors[partition]
                self.note(f"{type(applied.stopped).__name__} {applied.stopped}")


class Operator(Process):
    """Decides about dead letters."""

    has_end = False

    def script(self) -> Iterator[None]:
        world = self.world
        timer = Timer(lambda: world.now_s, world.sleep)
        producer = Producer(ProcessLog(self), author=self.name, clock=world.clock, timer=timer)
        world.producers[self.name] = producer
        decided: set[Position] = set()
        rate = world.random.choice(DECISION_RATES)
        while True:
            yield
            for at, key in self._open_letters():
                if at not in decided and world.random.random() < (max(DECISION_RATES) if world.calm else rate):
                    decided.add(at)
                    # Tried again it is a dead letter still, and is decided about once more.
                    decision = world.random.choice(DEAD_LETTER_DECISIONS)
                    if decision == "retry":
                        decided.clear()
                    place = {"epoch": at.epoch, "partition": at.partition, "offset": at.offset}
                    producer.send([DeadLetterResolved(key=key, **place, decision=decision)])
                    self.note(f"decides to {decision} {at}")
            try:
                producer.confirm(timeout_s=1)
            except (DurabilityUnknown, StoreUnavailable):
                continue

    def idle(self) -> bool:
        return not self._open_letters()

    def _open_letters(self) -> list[tuple[Position, str]]:
        if not self.world.log.is_damaged:
            return []
        sql = "SELECT position, key FROM dead_letters ORDER BY 1"
        with self.world.database.autocommit() as connection:
            found = driver_connection(connection).execute(sql).fetchall()
        return [(position_of(number), key) for number, key in found]


class Reader(Process):
    """Looks at the projection while others write, and remembers what it saw for the end."""

    has_end = False

    def script(self) -> Iterator[None]:
        world = self.world
        database, blobs = ProcessDatabase(self), ProcessBlobs(self)
        while True:
            yield
            if world.random.random() < READER_RATE:
                collection = world.random.choice(COLLECTIONS)
                try:
                    for version in queries.version_infos(database, collection, limit=1):
                        entries = views.entries_of(database, version)
                        shown = Shown(version.digest, views.listed(entries))
                        check_seen(world, (version.collection, version.version), shown)
                        self._read_one(blobs, entries)
                except StoreUnavailable as error:  # it crashed between two pages
                    self.note(f"StoreUnavailable {error}")
                self._take_snapshot()

    def _read_one(self, blobs: ProcessBlobs, entries: Sequence[EntryInfo]) -> None:
        files = [entry for entry in entries if entry.digest is not None]
        if files:
            check_read(self.world, blobs, *views.place_of(self.world.random.choice(files)))

    def _take_snapshot(self) -> None:
        if len(self.world.snapshots) < SNAPSHOTS_MAX:
            with self.world.database.snapshot() as connection:
                self.world.snapshots.append((self.world.cursor, views.facts_at(connection, self.world.cursor)))


class Subscriber(Process):
    """Reads version events while projectors commit, and stores each page together with the cursor after it."""

    has_end = False

    def script(self) -> Iterator[None]:
        world = self.world
        database, start = ProcessDatabase(self), EventCursor(ProcessLog(self).generation)
        while True:
            yield
            if world.random.random() < READER_RATE:
                cursor = world.told_until or start
                page = version_events(database, cursor, limit=world.random.randint(1, EVENTS_READ_MAX))
                world.told += page.events
                world.told_until = page.cursor


class Nature(Process):
    """Brings what comes late, delivers twice, fills disks, and damages what is stored."""

    has_end = False

    def script(self) -> Iterator[None]:
        log, random, faults = self.world.log, self.world.random, self.world.faults
        while True:
            yield
            if log.in_flight and (self.world.calm or random.random() < 0.2):
                records = log.in_flight.pop(random.randrange(len(log.in_flight)))
                log.accept(records)
                self.note(f"{len(records)} records of {records[0].key} arrive late")
            if faults.strikes(Fault.DUPLICATE):
                self._deliver_again()
            if faults.strikes(Fault.POISON):
                for _ in range(random.randint(1, POISONED_MAX)):
                    self._poison()
            if faults.strikes(Fault.TORN_BLOB):
                self.world.blobs.tear()
            if faults.strikes(Fault.FULL_DISK):
                disk = random.choice((simulated_log.DISK, simulated_blobs.DISK, simulated_database.DISK))
                self.world.full[disk] = self.world.steps + random.randint(1, FULL_STEPS_MAX)
                self.note(f"the {disk} is full until step {self.world.full[disk]}")
            if faults.strikes(Fault.STOPPED):
                partition = random.randrange(len(log.partitions))
                self.world.stopped[partition] = self.world.steps + random.randint(1, STOPPED_STEPS_MAX)
                self.note(f"partition {partition} is stopped until step {self.world.stopped[partition]}")
            if faults.strikes(Fault.LOST_COMMITS) and (lost := self.world.disk.crash()):
                self.note(f"the database crashes, and its last {lost} transactions are gone")

    def idle(self) -> bool:
        return not self.world.log.in_flight

    def _deliver_again(self) -> None:
        records = self.world.random.choice(self.world.log.partitions)
        if records:
            start = self.world.random.randrange(len(records))
            again = records[start : start + self.world.random.randint(1, DUPLICATES_MAX)]
            self.world.log.accept([NewRecord(r.key, r.payload, r.headers, r.position.partition) for r in again])
            self.note(f"records {[str(r.position.offset) for r in again]} arrive again")

    def _poison(self) -> None:
        records = self.world.random.choice(self.world.log.partitions)
        # Not of what is for every partition: a retirement that waits for an operator counts from when he decides.
        # Mostly of a collection, since most of what can be parked is about one.
        records = [record for record in records if not record.key.startswith(keys.BROADCAST)]
        records = [record for record in records if record.key.startswith(keys.COLLECTION)] or records
        if records:
            record = self.world.random.choice(records)
            position, *_ = self.world.log.accept([NewRecord(record.key, record.payload[:-1])])
            self.note(f"a damaged record of {record.key} is at {position.partition}/{position.offset}")
