"""No schedule of crashes, delays, duplicates, full disks and damage breaks a promise."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.simulation.home import Home, home
from tests.simulation.schedules import ScheduleFailed, run_schedule
from tests.simulation.summary import SCHEDULES

PER_TEST = 50  # small enough for two processes to share the work evenly
SCHEDULES_RUN = 2000 if os.environ.get("CI") == "true" else 300
CHUNKS = [range(start, start + PER_TEST) for start in range(0, SCHEDULES_RUN, PER_TEST)]
REPEATED = (3, 42, 77)


@pytest.fixture(scope="module")
def opened() -> Iterator[Home]:
    with home() as opened:
        yield opened


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"seeds {seeds.start} to {seeds.stop - 1}")
def test_no_schedule_breaks_a_promise(
    seeds: range, opened: Home, record_property: Callable[[str, object], None]
) -> None:
    for seed in seeds:
        run_schedule(seed, opened)
    record_property(SCHEDULES, len(seeds))


@pytest.mark.parametrize("seed", REPEATED)
def test_a_seed_gives_the_same_schedule_again_in_any_process(
    seed: int, opened: Home, outside_environment: Mapping[str, str]
) -> None:
    here = run_schedule(seed, opened).trace

    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
    environment = {**outside_environment, "PYTHONHASHSEED": "4711"}
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    assert there[:-1] == here


def test_a_failure_names_its_seed_and_how_to_see_it(opened: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.world.STEPS_MAX", 40)

    with pytest.raises(ScheduleFailed, match=r"seed 5: (?s:.*)python -m tests\.simulation --seed 5") as caught:
        run_schedule(5, opened)

    assert caught.value.trace
