"""A copy of the store of a schedule: the same history, and all content that is needed."""

from collections.abc import Callable, Collection, Iterator, Sequence
from threading import Event
from typing import TypeVar
from unittest.mock import patch

from headwater_consumer.copying import objects
from headwater_consumer.copying.named import Withdrawn, objects_named
from headwater_consumer.copying.objects import ObjectCopier
from headwater_consumer.database import Database
from headwater_consumer.writing.log_copy import LogCopy
from headwater_consumer.writing.restore import ancestors_after
from headwater_eventlog.port import NewRecord, Record
from headwater_schemas.errors import ContentError, StoreUnavailable
from headwater_schemas.positions import Position

from tests.simulation.end import YEAR_US, End
from tests.simulation.faults import Crash, Violation
from tests.simulation.reachable import reachable_places
from tests.simulation.replaying import differences, dump, project_whole
from tests.simulation.simulated_blobs import ProcessBlobs, SimulatedBlobs
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.world import Bystander, Process, SlowProcess, World
from tests.support.memory_log import MemoryLog

ROUNDS_KILLED_MAX = 3
OBJECTS_BEFORE_MAX = 4
KILLED_RATE = 0.1  # how often a copier ends after an object or some records
RUN_RATE = 0.2  # of a copier's steps, until nothing goes wrong any more

T = TypeVar("T")


class _CopyLog(MemoryLog):
    """Without gaps: nobody but the copy writes to it."""

    writer: Process  # who may be overtaken, and crash, when it appends

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 0) -> list[Position]:
        with self.writer.effect(f"appending {len(records)} to the copy"):
            return super().append(records)

    def _append(self, new: NewRecord) -> Position:
        assert new.partition is not None
        records = self._records[new.partition]
        position = Position(len(self.ancestors), new.partition, len(records))
        self._appended += 1
        records.append(Record(position, self.time_us, new.key, new.payload, new.headers))
        return position


class StoreCopy:
    """What there is of a copy, whoever makes it."""

    def __init__(self, world: World) -> None:
        self._world = world
        source = ProcessLog(Bystander(world, "source"))
        start_us = YEAR_US + world.clock_ms() * 1000  # after all of the schedule
        self.log = _CopyLog(source.partitions, "copy", ancestors=ancestors_after(source), start_us=start_us)
        self.blobs = SimulatedBlobs(world)

    def follow(self, process: Process, watch: Callable[[int], None]) -> int:
        """Copy what the copy lacks; returns how many records. `watch` may raise.

        Raises: ContentError, StoreUnavailable, Crash.
        """
        source, self.log.writer = ProcessLog(process), process
        copier = ObjectCopier(
            ProcessBlobs(process),
            ProcessBlobs(process, self.blobs),
            Withdrawn(source),
            name="the simulation",
            without_lost=False,
            watch=watch,
        )
        with patch.object(objects, "run_in_threads", _one_by_one):
            return LogCopy(source, self.log).run(
                timeout_s=1, watch=watch, before_append=lambda records: copier.bring(objects_named(records))
            )


class Copier(SlowProcess):
    """Copies the store again and again while it is written to and collected, as who moves to another one does."""

    has_end = False

    def __init__(self, world: World, name: str) -> None:
        self.copy = StoreCopy(world)  # outlives who makes it
        super().__init__(world, name)

    def script(self) -> Iterator[None]:
        world = self.world
        while True:
            yield
            if world.calm or world.random.random() >= RUN_RATE:
                continue
            try:
                copied = self.copy.follow(self, self._watch)
                self.note(f"copies {copied} records")
            except (ContentError, StoreUnavailable) as error:  # damaged content may be restored until the next time
                self.note(f"{type(error).__name__} {error}")

    def _watch(self, size: int) -> None:
        self.world.overtaken()
        if self.world.random.random() < KILLED_RATE:
            raise Crash(f"after {size} bytes or offsets of the copy")


def check_copied(end: End, database: Database) -> None:
    """The copy that was made meanwhile, or one that is killed now and then, is whole once it is made again.

    Raises: Violation.
    """
    world = end.world
    made = [process.copy for process in world.processes if isinstance(process, Copier)]
    copy = made[0] if made else _killed_copy(world)
    try:
        copy.follow(Bystander(world, "copy"), lambda size: None)
    except ContentError as error:
        raise Violation(f"a reachable content always verifies: it cannot be copied: {error}") from error
    project_whole(copy.log, database)
    if changed := sorted(differences(dump(end.database), dump(database)) - {"log_positions"}):
        raise Violation(f"3, replay: in a copy {changed} are not what they were")
    for place, digest in sorted(reachable_places(database)):
        if place.object_name in world.blobs.damaged_s:
            continue  # what nothing names yet is copied as it is
        content = copy.blobs.objects.get(place.object_name, b"")[place.offset : place.offset + place.size]
        if content != world.ledger.contents[digest]:
            raise Violation(f"a reachable content always verifies: a copy lacks {place}")


def _killed_copy(world: World) -> StoreCopy:
    copy = StoreCopy(world)
    for _ in range(world.random.randint(0, ROUNDS_KILLED_MAX)):
        left = world.random.randint(0, OBJECTS_BEFORE_MAX)

        def watch(size: int) -> None:
            nonlocal left
            del size
            if left == 0:
                raise Crash("after copying an object")
            left -= 1

        try:
            copy.follow(Bystander(world, "copy"), watch)
        except Crash:
            continue
        except ContentError as error:
            raise Violation(f"a reachable content always verifies: it cannot be copied: {error}") from error
    return copy


def _one_by_one(act: Callable[[T], None], items: Collection[T], count: int, stopped: Event) -> None:
    """As `run_in_threads`, in an order that repeats."""
    del count, stopped
    for item in items:
        act(item)
