"""How long after `log_artifact` a reader of the relay's topic has the event of the commit, while nothing else goes on.

Told beside it, of the same commits: how long their writer waits for the projection, which comes first.
"""

import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import headwater
from headwater_schemas.version_events import VERSION_COMMITTED, VersionEvent
from kafka import KafkaConsumer, TopicPartition

from bench import harness
from bench.harness import BenchFailed, Figure, Pairs, Result, run, settle
from bench.logging_runs import small_artifact
from bench.on_servers import ServerBench, ServerHome
from services.ports import LOOPBACK, free_ports
from services.processes import tail

SAMPLES = 200
PAUSE_S = 0.1  # what was logged before is over long before
MEDIAN_MAX_S = 0.15
READY_S, END_S, ARRIVED_S = 60.0, 30.0, 30.0
POLL_S = 0.05
POLL_MS = 200


def measure(bench: ServerBench) -> Iterator[Figure]:
    results: list[Result] = []
    for _ in range(bench.rounds):
        home = bench.home()
        with closing(RelayProcess(home)) as relay:
            relay.wait_until_it_leads()
            settle()
            topic = {"servers": home.servers.kafka, "topic": home.events_topic}
            results.append(run(home, log_and_read, count=bench.size(SAMPLES), **topic))
    pairs = Pairs(*[[statistics.median(result[part]) for result in results] for part in ("arrived_s", "waited_s")])
    yield pairs.figure(
        "relay-latency",
        unit="s",
        reach=f"median less than {MEDIAN_MAX_S} s",
        ok=pairs.value < MEDIAN_MAX_S,
        detail={
            "samples": len(results[0]["arrived_s"]),
            "slowest_s": [max(result["arrived_s"]) for result in results],
        },
    )


def log_and_read(count: int, servers: str, topic: str) -> Result:
    """Seconds from `log_artifact` until the event was read, and until `wait` returned."""
    arrived_s: list[float] = []
    waited_s: list[float] = []
    with headwater.init(job_type="bench") as run_handle:
        run_handle.log_artifact(small_artifact("first", "")).wait()  # which makes connections
        reader = TopicReader(servers, topic)
        for n in range(count):
            artifact = small_artifact("small", f"{n}")
            time.sleep(PAUSE_S)
            start = time.perf_counter()
            run_handle.log_artifact(artifact)
            artifact.wait()
            waited_s.append(time.perf_counter() - start)
            arrived_s.append(reader.arrived(f"small:{artifact.version}") - start)
    return {"arrived_s": arrived_s, "waited_s": waited_s}


class TopicReader:
    """Reads the topic in a thread, and notes when commits arrived."""

    def __init__(self, servers: str, topic: str) -> None:
        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        numbers = self._consumer.partitions_for_topic(topic)
        self._consumer.assign([TopicPartition(topic, number) for number in sorted(numbers)])
        self._commits: SimpleQueue[tuple[str, float]] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def arrived(self, artifact: str) -> float:
        """When the commit of this version did, by the clock of `perf_counter`."""
        while True:
            found, when = self._commits.get(timeout=ARRIVED_S)
            if found == artifact:
                return when

    def _read(self) -> None:
        while True:
            for records in self._consumer.poll(timeout_ms=POLL_MS).values():
                now = time.perf_counter()
                for record in records:
                    event = VersionEvent.from_json(json.loads(record.value))
                    if event.kind == VERSION_COMMITTED and event.artifact is not None:
                        self._commits.put((event.artifact.rpartition("/")[2], now))


class RelayProcess:
    """`headwater relay` beside what is measured."""

    def __init__(self, home: ServerHome) -> None:
        self._log = home.folder / "relay.txt"
        (self._port,) = free_ports(1)
        command = str(Path(sys.executable).with_name("headwater"))
        with self._log.open("ab") as log:
            arguments = [command, "relay", "--port", str(self._port)]
            self._process = harness.start_python(arguments, home.environment(), log=log)

    def wait_until_it_leads(self) -> None:
        """Raises: BenchFailed."""
        deadline = time.monotonic() + READY_S
        while self._state() != "relaying":
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise BenchFailed(f"the relay was not ready within {READY_S:.0f} s:\n{tail(self._log)}")
            time.sleep(POLL_S)

    def close(self) -> None:
        """End it. Raises: BenchFailed when it does not end."""
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise BenchFailed(f"the relay did not end within {END_S:.0f} s:\n{tail(self._log)}") from None

    def _state(self) -> str | None:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=END_S)
        try:
            connection.request("GET", "/health")
            return str(json.loads(connection.getresponse().read())["status"])
        except OSError:  # it does not listen yet
            return None
        finally:
            connection.close()
