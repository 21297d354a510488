"""Collection, as somebody runs it now and then: each run is a new process, and several run at once in some worlds."""

from collections.abc import Iterator

from headwater_consumer.maintenance.collection import Collector
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.queries.projects import restore_days
from headwater_producer.producer import Producer, Timer
from headwater_schemas.errors import DurabilityUnknown, StoreUnavailable
from headwater_schemas.events import SettingsChanged
from headwater_schemas.positions import Cut

from tests.simulation.simulated_blobs import ProcessBlobs
from tests.simulation.simulated_database import ProcessDatabase
from tests.simulation.simulated_files import ProcessFiles
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.world import NO_LOCK, SlowProcess, World
from tests.simulation.writers import PROJECTS

RUN_RATES = (0.1, 0.4)  # of its steps
GRACES_S = (0.0, 0.0, 2.0)
PURGING_RATE = 0.8  # how often deleted versions cannot be restored any more
CLOCKS_DIFFER_S = 10.0  # at most: by so much later it is for whoever collects, so that what was deleted is due
WAITED_STEPS_MAX = 40  # for all partitions to be projected
AT_ONCE = '{"restore_days":0}'


class GarbageCollector(SlowProcess):
    """Runs a collection now and then, and the last one when nobody else does anything any more."""

    def __init__(self, world: World, name: str, files: dict[str, bytes], *, is_last: bool) -> None:
        """`files`: those that all collections remember things in. `is_last`: whether it runs the last one."""
        self._files, self._is_last = files, is_last
        self._rate, self._grace_s = world.random.choice(RUN_RATES), world.random.choice(GRACES_S)
        self._purges, self._projects = world.random.random() < PURGING_RATE, world.random.random() < 0.5
        self.has_ended = False  # the last collection
        super().__init__(world, name)

    def script(self) -> Iterator[None]:
        world = self.world
        self._log, self._database, self._blobs = ProcessLog(self), ProcessDatabase(self), ProcessBlobs(self)
        while True:
            world.producers.pop(self.name, None)
            yield
            if self._is_due():
                try:
                    self._collect()
                except (DurabilityUnknown, StoreUnavailable) as error:
                    self.note(f"{type(error).__name__} {error}")

    def idle(self) -> bool:
        """Nor is it in the middle of a run that others have overtaken."""
        return self.has_ended if self._is_last else not self.in_step

    def _is_due(self) -> bool:
        world = self.world
        if not (world.calm and world.all_done()):
            return world.random.random() < self._rate
        return self._is_last and not self.has_ended and self._is_alone()

    def _is_alone(self) -> bool:
        """Whether nobody else will do anything."""
        world = self.world
        others = [process for process in world.processes if process is not self]
        return world.calm and world.all_done() and all(process.idle() for process in others)

    def _collect(self) -> None:
        world, is_alone = self.world, self._is_alone()
        timer = Timer(lambda: world.now_s, world.sleep)
        producer = Producer(self._log, author=self.name, clock=world.clock, timer=timer)
        world.producers[self.name] = producer
        for project in PROJECTS if self._purges else ():
            if restore_days(self._database, project):
                producer.send([SettingsChanged(project=project, settings=AT_ONCE)])
        self._catch_up(producer.confirm(timeout_s=1))
        collector = Collector(
            self._database,
            self._log,
            self._blobs,
            ProcessFiles(self, self._files),
            now_us=(world.clock_ms() + int(CLOCKS_DIFFER_S * 1000)) * 1000,
            grace_s=CLOCKS_DIFFER_S + (0.0 if is_alone else self._grace_s),
            progress=lambda done, total: world.overtaken(),
        )
        freed = collector.collect(producer, self._catch_up)
        self.note(f"purges {freed.purged}, and collects {freed.total}")
        self.has_ended = is_alone and not freed.unfinished and not freed.parked

    def _catch_up(self, cut: Cut | None) -> None:
        """Wait for the projectors, or project."""
        if self._projects:
            EmbeddedProjection(self._log, self._database, NO_LOCK).catch_up(cut, timeout_s=1)
        wanted = Cut(self._log.generation, dict(self._log.ends())) if cut is None else cut
        for _ in range(WAITED_STEPS_MAX):
            if self.world.has_projected(wanted):
                return
            self.world.let_others_run()
        raise StoreUnavailable("the projection is behind")
