"""Make a world from a seed, run it, and hold it to the promises."""

from collections.abc import Sequence
from random import Random

from tests.simulation import invariants
from tests.simulation.daemons import EmbeddedProjector, GroupProjector, Nature, Operator, Reader
from tests.simulation.faults import Violation
from tests.simulation.simulated_blobs import SimulatedBlobs
from tests.simulation.simulated_log import SimulatedLog
from tests.simulation.tasks import plan
from tests.simulation.world import Home, World, ids_from
from tests.simulation.writers import Writer

WRITERS_MAX = 4
PROJECTORS_MAX = 3
PARTITIONS_MAX = 3


class ScheduleFailed(AssertionError):
    """A schedule broke a promise. The message names the seed, from which it runs again exactly."""

    def __init__(self, seed: int, cause: BaseException, trace: Sequence[str]) -> None:
        super().__init__(
            f"seed {seed}: {type(cause).__name__}: {cause}\n"
            f"See it with `python -m tests.simulation --seed {seed} --schedules 1`."
        )
        self.cause = cause
        self.trace = trace


def run_schedule(seed: int, home: Home) -> World:
    """Run one schedule. Raises: ScheduleFailed."""
    world = World(seed, home.live())
    with ids_from(Random(seed)):
        _populate(world)
        try:
            world.run()
            invariants.check_all(world, home)
        except (Exception, Violation) as error:
            raise ScheduleFailed(seed, error, world.trace) from error
    return world


def _populate(world: World) -> None:
    random = world.random
    world.log = SimulatedLog(world, random.randint(1, PARTITIONS_MAX))
    world.blobs = SimulatedBlobs(world)
    for number in range(random.randint(2, WRITERS_MAX)):
        name = f"writer-{number}"
        world.processes.append(Writer(world, name, plan(random, name)))
    for number in range(random.randint(1, PROJECTORS_MAX)):
        kind = random.choice((EmbeddedProjector, GroupProjector))
        world.processes.append(kind(world, f"projector-{number}"))
    world.processes += [Operator(world, "operator"), Reader(world, "reader"), Nature(world, "nature")]
