"""Make a world from a seed, run it, and hold it to the promises."""

from collections.abc import Sequence
from random import Random

from tests.simulation import invariants
from tests.simulation.daemons import EmbeddedProjector, GroupProjector, Nature, Operator, Reader, Subscriber
from tests.simulation.faults import Violation
from tests.simulation.home import Home
from tests.simulation.maintainer import Maintainer
from tests.simulation.scenes import Scene, scene_of
from tests.simulation.simulated_blobs import SimulatedBlobs
from tests.simulation.simulated_database import DatabaseDisk
from tests.simulation.simulated_log import SimulatedLog
from tests.simulation.views import decoding_once
from tests.simulation.world import World, ids_from, packs_of
from tests.simulation.writers import Writer

WRITERS_MAX = 4
PROJECTORS_MAX = 3
PARTITIONS_MAX = 3
STEPS_NOTED = 20  # of a schedule that met a bug: what led to it, without hiding the traceback


class ScheduleFailed(AssertionError):
    """A schedule broke a promise. The message names the seed, from which it runs again exactly."""

    def __init__(self, seed: int, cause: Violation, trace: Sequence[str]) -> None:
        super().__init__(f"seed {seed}: {type(cause).__name__}: {cause}\n{_how_to_see(seed)}")
        self.cause = cause
        self.trace = trace


def _how_to_see(seed: int) -> str:
    return f"See it with `python -m tests.simulation --seed {seed} --schedules 1`."


def run_schedule(seed: int, home: Home, scene: Scene | None = None) -> World:
    """Run one schedule, in another scene than its own if `scene` says so.

    Raises: ScheduleFailed; any other error is a bug, and has the seed and the last steps noted.
    """
    world = World(seed, home.live())
    with ids_from(Random(seed), world), packs_of(world), decoding_once():
        _populate(world, scene or scene_of(seed))
        try:
            world.run()
            invariants.check_all(world, home)
        except Violation as violation:
            raise ScheduleFailed(seed, violation, world.trace) from violation
        except BaseException as error:
            error.add_note("\n".join((*world.trace[-STEPS_NOTED:], f"seed {seed}", _how_to_see(seed))))
            raise
    return world


def _populate(world: World, scene: Scene) -> None:
    random = world.random
    world.log = SimulatedLog(world, random.randint(1, PARTITIONS_MAX))
    world.blobs = SimulatedBlobs(world)
    world.disk = DatabaseDisk(world)
    for number in range(random.randint(2, WRITERS_MAX)):
        name = f"writer-{number}"
        world.processes.append(Writer(world, name, scene.plan(random, name)))
    for number in range(random.randint(1, PROJECTORS_MAX)):
        kind = random.choice((EmbeddedProjector, GroupProjector))
        world.processes.append(kind(world, f"projector-{number}"))
    world.processes += [Operator(world, "operator"), Reader(world, "reader"), Nature(world, "nature")]
    world.processes += [Maintainer(world, "maintainer"), Subscriber(world, "subscriber")]
    scene.add(world)
