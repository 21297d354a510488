"""Kinds of worlds: who is in them, and what these do.

Most schedules have everything. What a safeguard is for can need so much to come together that they show it too rarely:
in the other scenes there is little else, so that it comes about again and again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.simulation import space_tasks, tasks
from tests.simulation.archiving import Archiver
from tests.simulation.collecting import GarbageCollector
from tests.simulation.copied_store import Copier
from tests.simulation.retention import POLICIES_BY_USE, Retention
from tests.simulation.world import World
from tests.simulation.writers import Task

TASKS_MAX = 4
COLLECTORS = (0, 0, 1, 1, 2)  # by weight
ARCHIVERS = (0, 0, 0, 1, 2)
RETENTION_RATE = 0.4
COPIED_RATE = 0.15
LONG_PAUSES = (5, 10, 20)  # between a decision and what is done about it, in steps of others
SMALL_SCENE_EVERY = 10  # schedules

Maker = Callable[[Random, str], Task]


@dataclass(frozen=True, slots=True)
class Scene:
    """A kind of world."""

    makers: Sequence[Maker]  # of the tasks that a writer's script is drawn from, by weight
    add: Callable[[World], None]  # who is in it beside those who are in every world
    tasks_max: int = TASKS_MAX  # of a writer

    def plan(self, random: Random, name: str) -> list[Task]:
        """A writer's script."""
        return [random.choice(self.makers)(random, name) for _ in range(random.randint(1, self.tasks_max))]


def _add_nobody(world: World) -> None:
    pass


def _add_those_who_free_space(world: World) -> None:
    random = world.random
    if random.random() < RETENTION_RATE:
        world.processes.append(Retention(world, "retention"))
    for number in range(random.choice(ARCHIVERS)):
        world.processes.append(Archiver(world, f"archiver-{number}"))
    _add_collectors(world, random.choice(COLLECTORS))
    if random.random() < COPIED_RATE:
        world.processes.append(Copier(world, "copier"))


def _add_collectors(world: World, count: int) -> None:
    files: dict[str, bytes] = {}
    for number in range(count):
        world.processes.append(GarbageCollector(world, f"collector-{number}", files, is_last=number == 0))


def _add_retention_by_use(world: World) -> None:
    world.processes.append(Retention(world, "retention", POLICIES_BY_USE, run_rate=0.5, pauses=LONG_PAUSES))


def _add_collector(world: World) -> None:
    _add_collectors(world, 1)


def _add_two_collectors(world: World) -> None:
    _add_collectors(world, 2)


def _add_collector_and_copier(world: World) -> None:
    _add_collectors(world, 1)
    world.processes.append(Copier(world, "copier"))


WRITING = Scene(tasks.WRITING, _add_nobody)
SHARING = Scene((tasks.share,), _add_nobody)
REGRETTED = Scene((tasks.log, space_tasks.regret, space_tasks.regret), _add_collector)
EVERYTHING = Scene((*tasks.WRITING, space_tasks.regret), _add_those_who_free_space)
USED_WHILE_RETAINED = Scene((space_tasks.log_and_use,), _add_retention_by_use, tasks_max=1)
REWRITTEN_BY_TWO = Scene((space_tasks.supersede,), _add_two_collectors, tasks_max=2)
COPIED_WHILE_COLLECTED = Scene((tasks.log, space_tasks.supersede), _add_collector_and_copier, tasks_max=2)
BROUGHT_BACK = Scene((space_tasks.bring_back,), _add_collector, tasks_max=2)
SMALL_SCENES = (USED_WHILE_RETAINED, REWRITTEN_BY_TWO, COPIED_WHILE_COLLECTED, BROUGHT_BACK)


def scene_of(seed: int) -> Scene:
    """That of a schedule."""
    if seed % SMALL_SCENE_EVERY != SMALL_SCENE_EVERY - 1:
        return EVERYTHING
    return SMALL_SCENES[seed // SMALL_SCENE_EVERY % len(SMALL_SCENES)]
