"""Retention, as somebody runs it now and then: it deletes by a policy, beside whoever uses and names versions."""

from collections.abc import Iterator, Sequence

from headwater._retention.carrying_out import deletion_event
from headwater_consumer.queries.reads import DirectReads
from headwater_consumer.retention.planning import plans
from headwater_producer.producer import Producer, Timer
from headwater_schemas.errors import DurabilityUnknown, StoreUnavailable
from headwater_schemas.events import SettingsChanged

from tests.simulation.simulated_database import ProcessDatabase
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.world import PAUSES, SlowProcess, World
from tests.simulation.writers import PROJECT

RUN_RATE = 0.2
POLICIES_BY_USE = ('{"keep_used":true}', '{"keep_last":1,"keep_used":true}', '{"keep_last":1}')
POLICIES = ('{"keep_last":1}', '{"keep_last":2,"keep_aliased":true}', '{"keep_used":true}', '{"keep_aliased":true}')


class Retention(SlowProcess):
    """Each run is a new process, with a session of its own."""

    def __init__(
        self,
        world: World,
        name: str,
        policies: Sequence[str] = POLICIES,
        *,
        run_rate: float = RUN_RATE,
        pauses: Sequence[int] = PAUSES,
    ) -> None:
        """`policies`: what it is asked to carry out is one of them. `run_rate`: of its steps, while somebody writes."""
        self._policy, self._run_rate, self.pauses = world.random.choice(policies), run_rate, pauses
        super().__init__(world, name)

    def script(self) -> Iterator[None]:
        world = self.world
        log, database = ProcessLog(self), ProcessDatabase(self)
        while True:
            world.producers.pop(self.name, None)
            yield
            if world.all_done() or world.random.random() >= self._run_rate:
                continue
            timer = Timer(lambda: world.now_s, world.sleep)
            producer = world.producers[self.name] = Producer(log, author=self.name, clock=world.clock, timer=timer)
            try:
                self._run(producer, DirectReads(database))
                producer.confirm(timeout_s=1)
            except (DurabilityUnknown, StoreUnavailable) as error:
                self.note(f"{type(error).__name__} {error}")

    def _run(self, producer: Producer, reads: DirectReads) -> None:
        if not reads.retention_policies(PROJECT, after=None, limit=1):
            settings = f'{{"retention":{{"*":{self._policy}}}}}'
            producer.send([SettingsChanged(project=PROJECT, settings=settings)])
            return
        for plan in plans(reads, PROJECT, now_us=self.world.clock_ms() * 1000):
            for deletion in plan.deletions:
                producer.send([deletion_event(plan.collection, deletion)], message=deletion.rule)
                self.note(f"deletes {plan.collection}:v{deletion.version}, as it is {deletion.rule}")
