"""Maintenance, as somebody runs it now and then: it finishes what was cut off, and retires sessions that have ended."""

import uuid
from collections.abc import Iterator

from headwater_consumer.maintenance import broadcasts
from headwater_consumer.queries.broadcasts import missing_broadcasts
from headwater_producer.producer import Producer, Timer
from headwater_schemas.errors import DurabilityUnknown, StoreUnavailable, UndecodableEvent
from headwater_schemas.events import SessionsRetired
from headwater_schemas.keys import session_start_ms
from headwater_schemas.positions import Cut

from tests.simulation import views
from tests.simulation.simulated_database import ProcessDatabase
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.world import Process, World

_WORLDS_THAT_RETIRE = 0.3
_RUN_RATE = 0.2  # of its steps
_RETIRE_RATE = 0.3  # of its runs


class Maintainer(Process):
    """Each run is a new process, with a session of its own."""

    has_end = False

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._retires = world.random.random() < _WORLDS_THAT_RETIRE

    def script(self) -> Iterator[None]:
        world = self.world
        log, database = ProcessLog(self), ProcessDatabase(self)
        while True:
            yield
            if world.calm:
                # What it wrote before is projected first, or it would write the same faster than it is read.
                if not world.has_projected(Cut(log.generation, dict(log.ends()))):
                    continue
            elif world.random.random() >= _RUN_RATE:
                continue
            try:
                if written := broadcasts.finish_broadcasts(database, log):
                    self.note(f"writes {written} records to partitions that lacked them")
                if self._retires and not world.calm and world.random.random() < _RETIRE_RATE and self._all_decodes():
                    self._retire(log)
            except (DurabilityUnknown, StoreUnavailable) as error:
                self.note(f"{type(error).__name__} {error}")

    def idle(self) -> bool:
        return not any(missing_broadcasts(self.world.database, len(self.world.log.partitions)))

    def _retire(self, log: ProcessLog) -> None:
        """End every session but those of processes that may still write."""
        world = self.world
        timer = Timer(lambda: world.now_s, world.sleep)
        producer = Producer(log, author=self.name, clock=world.clock, timer=timer)
        before_ms = min(session_start_ms(one.session) for one in (producer, *world.producers.values()))
        producer.send([SessionsRetired(broadcast=uuid.uuid4().hex, before_ms=before_ms)])
        self.note(f"retires what began before {before_ms}")
        producer.confirm(timeout_s=1)

    def _all_decodes(self) -> bool:
        """Whether nothing waits for an operator: that would be refused if its session were retired before."""
        try:
            for records in self.world.log.partitions:
                for record in records:
                    views.decoded(record.payload)
        except UndecodableEvent:
            return False
        return True
