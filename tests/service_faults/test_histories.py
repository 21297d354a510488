"""Many writers with faults in between, verified by what each of them was told."""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from headwater_consumer import queries
from headwater_producer.producer import Producer
from headwater_schemas.events import VersionCommitted

from services.kafka import KafkaBroker
from tests.service_faults.deployment import NAMESPACE, Deployment, OwnServers, deployed
from tests.service_faults.history import Operation, problems, problems_of_draft
from tests.service_faults.many_writers import DRAFT, DRAFTED, SHARED
from tests.service_faults.verification import opened, verify
from tests.support.servers import own_kafka

WRITERS = 32
CALM_S = 1.5  # of work between two faults
SOAK_S = 180.0
NEVER = float("inf")


class Scenario:
    """A store with its writers and projectors, and what may happen to them."""

    def __init__(self, deployment: Deployment, broker: KafkaBroker) -> None:
        self.deployment, self.broker = deployment, broker
        self.projectors = [deployment.projector(), deployment.projector()]
        self.folder = deployment.folder / "operations"
        self.folder.mkdir()
        self._writers = deployment.run("tests.service_faults.many_writers", self.folder, WRITERS)
        self._writers.wait_until(lambda: self._began() == WRITERS, f"{WRITERS} writers at work")
        self.killed: set[int] = set()

    def kill_a_projector(self) -> None:
        """And start another."""
        self.projectors.pop(0).kill()
        self.projectors.append(self.deployment.projector())

    def restart_the_broker(self) -> None:
        self.broker.stop()
        self.broker.start()

    def kill_the_broker(self) -> None:
        self.broker.kill()
        self.broker.start()

    def freeze_the_broker(self) -> None:
        self.broker.pause()
        time.sleep(4)  # longer than an append waits
        self.broker.resume()

    def kill_a_writer(self) -> None:
        number = next(number for number in range(WRITERS) if number not in self.killed)
        os.kill(self._writers.lines()[0]["pids"][number], signal.SIGKILL)
        self.killed.add(number)

    def end(self) -> None:
        """Wait for the writers to end by themselves."""
        (self.folder / "over").touch()
        self._writers.succeeded()
        codes = self._writers.lines()[-1]["codes"]
        wanted = [-signal.SIGKILL if number in self.killed else 0 for number in range(WRITERS)]
        assert codes == wanted, self._writers.output()

    def operations(self) -> list[Operation]:
        """What all writers did, and were told."""
        return [
            operation
            for number in range(WRITERS)
            for operation in operations_of(str(number), (self.folder / f"{number}.jsonl").read_text())
        ]

    def _began(self) -> int:
        return sum(1 for file in self.folder.glob("*.jsonl") if file.stat().st_size)


def operations_of(writer: str, text: str) -> Iterator[Operation]:
    """One writer's; what it was killed in the middle of is unknown for ever."""
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    for at in range(0, len(lines), 2):
        begun, ended = lines[at], lines[at + 1] if at + 1 < len(lines) else {**lines[at], "at": NEVER}
        yield operation_of(writer, begun, ended)


def operation_of(writer: str, begun: dict[str, Any], ended: dict[str, Any]) -> Operation:
    end = NEVER if ended["outcome"] == "unknown" else ended["at"]
    return Operation(
        writer,
        begun["kind"],
        begun["name"],
        begun["at"],
        end,
        ended["outcome"],
        ended.get("version"),
        ended["digest"],
    )


@contextmanager
def running_scenario(folder: Path) -> Iterator[Scenario]:
    with own_kafka(folder / "kafka") as broker, deployed(folder, OwnServers(kafka=broker.address)) as deployment:
        yield Scenario(deployment, broker)


def verified(scenario: Scenario) -> None:
    """The history agrees with what is there, which agrees with a replay."""
    scenario.end()
    commit_draft(scenario.deployment)
    seen, operations = verify(scenario.deployment, []), scenario.operations()
    print(tally(operations))
    versions = {name: list(enumerate(seen.versions[name])) for name in SHARED}
    assert problems(operations, versions) == []
    assert seen.count(DRAFTED) == 1
    assert problems_of_draft(operations, drafted(scenario.deployment)) == []
    scenario.deployment.command("replay").succeeded()


def commit_draft(deployment: Deployment) -> None:
    """Once all are done."""
    with opened(deployment) as stores:
        producer = Producer(stores.log, author="the last")
        producer.send([VersionCommitted(collection=f"{NAMESPACE}/{DRAFTED}", draft=DRAFT)])
        producer.confirm()


def drafted(deployment: Deployment) -> list[str]:
    """The paths in the version that the shared draft became."""
    with opened(deployment) as stores:
        info = queries.version_info(stores.database, f"{NAMESPACE}/{DRAFTED}", 0)
        assert info is not None
        return [path for paths, _ in queries.listing(stores.database, info.layers) for path in paths]


def tally(operations: list[Operation]) -> str:
    """Said, not verified."""
    kinds = sorted({(one.kind, one.outcome) for one in operations})
    counts = [f"{sum((one.kind, one.outcome) == kind for one in operations)} {kind[0]} {kind[1]}" for kind in kinds]
    return ", ".join(counts)


@pytest.mark.slow
def test_what_32_writers_were_told_is_true_whatever_happens_to_projectors_broker_and_writers(tmp_path: Path) -> None:
    with running_scenario(tmp_path) as scenario:
        for fault in (scenario.kill_a_projector, scenario.restart_the_broker, scenario.kill_a_writer):
            time.sleep(CALM_S)
            fault()
        time.sleep(CALM_S)
        verified(scenario)


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2))
def test_what_32_writers_were_told_is_true_after_minutes_of_faults(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    with running_scenario(tmp_path) as scenario:
        faults: list[Callable[[], None]] = [
            scenario.kill_a_projector,
            scenario.restart_the_broker,
            scenario.kill_the_broker,
            scenario.freeze_the_broker,
            scenario.kill_a_writer,
        ]
        over_at = time.monotonic() + SOAK_S
        while time.monotonic() < over_at:
            time.sleep(dice.uniform(CALM_S, 5 * CALM_S))
            dice.choice(faults)()
        time.sleep(CALM_S)
        verified(scenario)
