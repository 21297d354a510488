"""One schedule: virtual processes on one store, run step by step in an order that the seed decides.

A process is a generator; what it does between two yields is one step. Product code has no yields, so at every seam
where a real process could be overtaken (an effect, a read, a sleep) the adapters call `overtaken`, and others run for a
few steps right there. A crash is raised at such a seam, ends the step, and the process begins its script anew.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_consumer.database import Database
from headwater_consumer.queries.results import VersionEventInfo
from headwater_producer import staged_blobs, stager, stored_content
from headwater_producer.producer import Producer
from headwater_schemas import digests, keys
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.keys import first_session
from headwater_schemas.positions import BEFORE_FIRST, Cut

from tests.simulation.faults import Crash, Fault, Faults, Violation
from tests.simulation.ledger import Ledger
from tests.simulation.views import Shown

if TYPE_CHECKING:
    from tests.simulation.simulated_blobs import SimulatedBlobs
    from tests.simulation.simulated_database import DatabaseDisk
    from tests.simulation.simulated_log import SimulatedLog

ALGORITHMS = (digests.XXH3, digests.XXH3, digests.BLAKE3)
STORM_STEPS = 120  # after these nothing goes wrong any more
STEPS_MAX = 6_000  # a calm world comes to rest long before
SMALL_BYTES_MAX = 64  # of content that goes into packs, where some content is to be large
OVERTAKING_DEPTH_MAX = 3
NO_LOCK = Path("/nowhere/projection.lock")  # virtual processes are overtaken, and would wait for themselves
OVERTAKING_STEPS_MAX = 4
PAUSES = (0, 0, 3, 12)  # of a slow process before an effect, in steps of others
_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


class World:
    """Everything that one schedule consists of."""

    log: "SimulatedLog"
    blobs: "SimulatedBlobs"
    disk: "DatabaseDisk"

    def __init__(self, seed: int, database: Database) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.faults = Faults(self.random)
        self.ledger = Ledger()
        self.database = database
        self.trace: list[str] = []
        self.processes: list[Process] = []
        self.now_s = 0.0
        self.steps = 0
        self.calm = False
        self.cursor: dict[int, int] = {}  # partition → offset, as of the last transaction
        self.furthest: dict[int, int] = {}  # the same, as it ever was: a database that crashed is behind it
        self.seen: dict[tuple[str, int], Shown] = {}  # (collection, version) → as it was first seen
        self.snapshots: list[tuple[dict[int, int], set[tuple[Any, ...]]]] = []  # (cursor, facts up to it)
        self.told: list[VersionEventInfo] = []  # what a subscriber has read,
        self.told_until: EventCursor | None = None  # and how far that goes
        self.archived: dict[str, bytes] = {}  # the files of an archive of the log
        self.full: dict[str, int] = {}  # disk → the step at which there is room again
        self.stopped: dict[int, int] = {}  # partition → the step at which it is projected again
        self.announcements: defaultdict[str, list[str]] = defaultdict(list)  # process → what it has not heard yet
        self.producers: dict[str, Producer] = {}  # of each process that may still write
        # What all projects have chosen long ago. None: that is still to be done, which takes much of the storm.
        self.algorithm: str | None = self.random.choice((*ALGORITHMS, None))
        self.packed_bytes_max = self.random.choice((PACKED_FILE_BYTES_MAX, SMALL_BYTES_MAX))
        self._overtaking_rate = self.random.choice((0.0, 0.1, 0.3))
        self._depth = 0

    # --- running

    def run(self) -> None:
        """Run all processes until every one that has an end is there and nothing is left to project."""
        while not self.at_rest():
            if not self.calm and (self.steps >= STORM_STEPS or self.all_done()):
                self._calm_down()
            if self.steps >= STEPS_MAX:
                waiting = [process.name for process in self.processes if process.has_end and not process.done]
                raise Violation(f"after {self.steps} steps these still wait: {waiting or 'the projectors'}")
            self._step(self.random.choice(self._runnable()))

    def all_done(self) -> bool:
        return all(process.done for process in self.processes if process.has_end)

    def at_rest(self) -> bool:
        return self.calm and self.all_done() and all(process.idle() for process in self.processes)

    def overtaken(self) -> None:
        """Others may run now, in the middle of a step."""
        if self._depth >= OVERTAKING_DEPTH_MAX or self.random.random() >= self._overtaking_rate:
            return
        for _ in range(self.random.randint(1, OVERTAKING_STEPS_MAX)):
            self.let_others_run()

    def let_others_run(self) -> None:
        """Another process runs for a step, in the middle of a step of one that waits for it."""
        self._depth += 1
        try:
            if others := self._runnable():
                self._step(self.random.choice(others))
        finally:
            self._depth -= 1

    def sleep(self, seconds: float) -> None:
        """Virtual time passes, and others run."""
        self.now_s += seconds
        self.overtaken()

    def clock(self) -> datetime:
        """The clock of some machine: not quite that of the others."""
        return _EPOCH + timedelta(seconds=self.now_s + self.random.uniform(-5, 5))

    def clock_ms(self) -> int:
        """Milliseconds since 1970 by the clock from which sessions begin."""
        return int((_EPOCH + timedelta(seconds=self.now_s)).timestamp() * 1000)

    def has_projected(self, cut: Cut) -> bool:
        """Whether asking the database for `cut` is worth its cost."""
        return all(self.cursor.get(partition, BEFORE_FIRST) >= offset for partition, offset in cut.offsets.items())

    def is_projected(self, partition: int) -> bool:
        """Whether all of a partition is projected: to ask the database would say the same, and cost."""
        return self.cursor.get(partition, BEFORE_FIRST) == self.log.end(partition)

    def is_behind_itself(self) -> bool:
        """Whether the database crashed, and has not caught up with what was known from it before."""
        return any(self.cursor.get(partition, BEFORE_FIRST) < offset for partition, offset in self.furthest.items())

    def is_full(self, disk: str) -> bool:
        """Whether a disk has no room now."""
        return self.full.get(disk, 0) > self.steps

    def is_stopped(self, partition: int) -> bool:
        """Whether nobody projects a partition now."""
        return self.stopped.get(partition, 0) > self.steps

    def note(self, text: str) -> None:
        self.trace.append(f"{self.steps:4} {'  ' * self._depth}{text}")

    def _runnable(self) -> "list[Process]":
        return [process for process in self.processes if not (process.done or process.in_step)]

    def _step(self, process: "Process") -> None:
        self.steps += 1
        self.now_s += self.random.random()
        process.step()

    def _calm_down(self) -> None:
        self.note("calm: nothing goes wrong from here on")
        self.calm = True
        self.faults.end()
        self.full.clear()
        self.stopped.clear()


class Process:
    """A virtual process: a script that is run step by step, and from its beginning again after a crash."""

    has_end = True  # False: it runs as long as the world does

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.done = False
        self.in_step = False
        self._steps: Iterator[None] = self.script()

    def script(self) -> Iterator[None]:
        """What it does; a yield ends a step. Whatever it remembers must be made in here, since a crash forgets it."""
        raise NotImplementedError

    def idle(self) -> bool:
        """Whether there is nothing that it should still do. Only asked of processes without an end."""
        return True

    def step(self) -> None:
        self.in_step = True
        try:
            next(self._steps)
        except StopIteration:
            self.done = True
            self.world.producers.pop(self.name, None)
            self.note("is done")
        except Crash as crash:
            self.note(f"CRASH {crash}")
            self._steps = self.script()
        finally:
            self.in_step = False

    @contextmanager
    def effect(self, what: str) -> Iterator[None]:
        """Something that others see. The process may be overtaken before, and may crash on either side of it."""
        self.world.overtaken()
        if self.world.faults.strikes(Fault.CRASH_BEFORE):
            raise Crash(f"before {what}")
        yield
        if self.world.faults.strikes(Fault.CRASH_AFTER):
            raise Crash(f"after {what}")

    def thread(self) -> None:
        """What another thread of this process may do during an effect of this one."""

    def note(self, text: str) -> None:
        self.world.note(f"{self.name}: {text}")


class SlowProcess(Process):
    """One that looks long before it acts: much can come about in between."""

    has_end = False
    pauses: Sequence[int] = PAUSES

    @contextmanager
    def effect(self, what: str) -> Iterator[None]:
        for _ in range(self.world.random.choice(self.pauses)):
            self.world.let_others_run()
        with super().effect(what):
            yield


class Bystander(Process):
    """Does nothing by itself; a handle for whoever looks at the world from outside."""

    has_end = False

    def script(self) -> Iterator[None]:
        yield


@contextmanager
def ids_from(random: Random, world: World) -> Iterator[None]:
    """Random ids come from the seed as well, so that a schedule repeats exactly; sessions begin by its time."""

    def next_id() -> uuid.UUID:
        return uuid.UUID(int=random.getrandbits(128), version=4)

    def new_session(start_ms: int | None = None) -> str:
        del start_ms  # by the clock of some machine: retirement must know which sessions began before others
        return f"{first_session(world.clock_ms())[:12]}{random.getrandbits(144):036x}"

    with (
        patch.object(uuid, "uuid4", next_id),
        patch.object(keys, "new_session", new_session),
    ):
        yield


@contextmanager
def packs_of(world: World) -> Iterator[None]:
    """What is large, and so an object by itself, is as the world says."""
    with ExitStack() as stack:
        for module in (staged_blobs, stager, stored_content):
            stack.enter_context(patch.object(module, "PACKED_FILE_BYTES_MAX", world.packed_bytes_max))
        yield
