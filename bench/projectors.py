"""`headwater projector` as processes beside what is measured, and how far they are."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headwater_consumer.projection.remote import RemoteProjection
from headwater_schemas.positions import BEFORE_FIRST
from headwater_stores.servers import open_log_and_database

from bench import harness
from bench.harness import BenchFailed
from bench.servers import BenchServers, CpuLook
from services.ports import LOOPBACK, free_ports
from services.processes import tail

if TYPE_CHECKING:
    from bench.on_servers import ServerHome

READY_S = 60.0
END_S = 30.0
PROJECTED_S = 1800.0  # far above what the largest row takes
ANSWER_S = 5.0
POLL_S = 0.05


class Projectors:
    """So many processes for one home. Ended by `stop`."""

    def __init__(self, home: "ServerHome", count: int = 1) -> None:
        home.folder.mkdir(parents=True, exist_ok=True)
        self._partitions = home.partitions
        self._log = home.folder / "projector.txt"
        self._ports = free_ports(count)
        command = str(Path(sys.executable).with_name("headwater"))
        self.started_s = time.monotonic()
        with self._log.open("ab") as log:
            self._processes = [
                harness.start_python([command, "projector", "--port", str(port)], home.environment(), log=log)
                for port in self._ports
            ]

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def shares(self) -> list[int]:
        """How many partitions each has at this moment."""
        return [len(self._health(port).get("partitions", {})) for port in self._ports]

    def are_ready(self) -> bool:
        """Whether all partitions are dealt out, and each has some. Raises: BenchFailed when one ended."""
        for process in self._processes:
            if (code := process.poll()) is not None:
                raise BenchFailed(f"a projector ended with {code}:\n{tail(self._log)}")
        shares = self.shares()
        return all(shares) and sum(shares) == self._partitions

    def wait_until_ready(self) -> None:
        """Raises: BenchFailed."""
        deadline = time.monotonic() + READY_S
        while not self.are_ready():
            if time.monotonic() > deadline:
                raise BenchFailed(f"the projectors were not ready within {READY_S:.0f} s:\n{tail(self._log)}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Have each end as a supervisor would. Raises: BenchFailed when one ended otherwise."""
        for process in self._processes:
            process.terminate()
        try:
            codes = [process.wait(END_S) for process in self._processes]
        except subprocess.TimeoutExpired:
            raise BenchFailed(f"a projector did not end within {END_S:.0f} s:\n{tail(self._log)}") from None
        finally:
            for process in self._processes:
                process.kill()
                process.wait()
        if any(codes):
            raise BenchFailed(f"projectors ended with {codes}:\n{tail(self._log)}")

    def _health(self, port: int) -> dict[str, dict[str, object]]:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_S)
        try:
            connection.request("GET", "/health")
            found: dict[str, dict[str, object]] = json.loads(connection.getresponse().read())
        except OSError:  # it does not listen yet
            return {}
        finally:
            connection.close()
        return found


@dataclass(frozen=True, slots=True)
class Throughput:
    """How fast projectors were while all of them were at work."""

    records: int
    seconds: float
    total_s: float  # from their start to the end of everything
    cpu: dict[str, float | str]

    @property
    def per_second(self) -> float:
        return self.records / self.seconds


@dataclass(frozen=True, slots=True)
class _Sample:
    done: dict[int, int]  # partition → records
    all_at_work: bool
    cpu: CpuLook

    @property
    def total(self) -> int:
        return sum(self.done.values())


def catch_up(home: "ServerHome", servers: BenchServers, count: int = 1) -> Throughput:
    """Start projectors on what is recorded, see them to its end, and end them. Raises: BenchFailed."""
    with ExitStack() as opened:
        database, log = open_log_and_database(home.profile(), opened, create=True)
        ends = {partition: end - BEFORE_FIRST for partition, end in log.ends().items() if end != BEFORE_FIRST}
        projection = RemoteProjection(log, database)

        def done() -> dict[int, int]:
            return {partition: offset - BEFORE_FIRST for partition, offset in projection.offsets().items()}

        first = _Sample(done(), False, CpuLook.at_now(servers, []))
        projectors = Projectors(home, count)
        try:
            samples = [first, *_samples(projectors, servers, done, ends)]
        finally:
            projectors.stop()
    return _throughput(samples, ends, count)


def _samples(
    projectors: Projectors, servers: BenchServers, done: Callable[[], dict[int, int]], ends: dict[int, int]
) -> list[_Sample]:
    found: list[_Sample] = []
    deadline, at_work = time.monotonic() + PROJECTED_S, False
    while not found or found[-1].total < sum(ends.values()):
        if time.monotonic() > deadline:
            raise BenchFailed(f"{sum(ends.values()):,} records were not projected within {PROJECTED_S:.0f} s.")
        time.sleep(POLL_S)
        at_work = at_work or projectors.are_ready()  # nobody joins or leaves from then on
        found.append(_Sample(done(), at_work, CpuLook.at_now(servers, projectors.pids)))
    return found


def _throughput(samples: list[_Sample], ends: dict[int, int], count: int) -> Throughput:
    """From when all were at work and had begun, until the first of them had nothing left to do."""
    start = next((sample for sample in samples if sample.all_at_work and sample.total), samples[0])
    end = next(sample for sample in samples if _unfinished(sample, ends) < count)
    if end.total <= start.total:  # so few that they were done before anybody looked
        start, end = samples[0], samples[-1]
    total_s = samples[-1].cpu.time_s - samples[0].cpu.time_s
    return Throughput(end.total - start.total, end.cpu.time_s - start.cpu.time_s, total_s, start.cpu.until(end.cpu))


def _unfinished(sample: _Sample, ends: dict[int, int]) -> int:
    return sum(sample.done.get(partition, 0) < records for partition, records in ends.items())
