"""Version events to many clients of one server: what a thousand streams cost it, and how soon one hears of a commit.

The server serves a folder and projects it, so its CPU includes the projector's.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from headwater_schemas.events import RunStarted

from bench.fabricated import PROJECT, files, opened, version_events
from bench.harness import CHILD_TIMEOUT_S, Bench, BenchFailed, Figure, start_python
from bench.servers import cpu_s_of

CLIENTS = 1_000
CLIENTS_OF_EVENT = 20  # that each event is of interest to
EVENTS_PER_S = 200
SECONDS = 10
SETTLE_S = 3.0  # until all streams are open and idle
ARRIVE_S = 20.0  # for the last event
CORES_MAX = 1.0
COMMITS = 30
PAUSE_S = 0.3  # between two commits, so that all is idle
LATENCY_S_MAX = 0.15
ENTITY = "bench"


BATCH = 10  # events that are appended at once


@dataclass(slots=True)
class Client:
    """One stream, and what came on it."""

    project: str
    events: list[bytes] = field(default_factory=list)  # their ids

    async def follow(self, host: str, port: int) -> None:
        """Read events until the connection ends."""
        reader, writer = await asyncio.open_connection(host, port)
        request = f"GET /v1/events/stream?project={self.project} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        writer.write(request.encode())
        async for line in reader:
            if line.startswith(b"data: "):
                self.events.append(line.partition(b'"id": "')[2].partition(b'"')[0])


def measure(bench: Bench) -> Iterator[Figure]:
    """The CPU of a server with many streams, and whether each got all events."""
    groups = max(1, bench.size(CLIENTS) // CLIENTS_OF_EVENT)
    seconds = max(1, bench.size(SECONDS))
    folder = bench.folder("store")
    projects = [f"{ENTITY}/p{n}" for n in range(groups)]
    with opened(folder):
        pass  # it is there
    with _serving(bench, folder) as (server, host, port):
        clients = [Client(project) for project in projects for _ in range(CLIENTS_OF_EVENT)]
        cores, sent = asyncio.run(_streamed(clients, host, port, server, folder, projects, seconds))
    missing = sum(sent[client.project] - len(set(client.events)) for client in clients)
    doubles = sum(len(client.events) - len(set(client.events)) for client in clients)
    yield Figure(
        bench="events-stream",
        value=cores,
        unit="cores of the server",
        limit=None,
        ratio=None,
        reach=f"no event missing, and under {CORES_MAX:g} core",
        ok=cores < CORES_MAX and not missing,
        runs=[cores],
        detail={"clients": len(clients), "events": sum(sent.values()), "missing": missing, "doubles": doubles},
    )


def measure_latency(bench: Bench) -> Iterator[Figure]:
    """From the append of a commit to its event at a client, all else idle."""
    folder = bench.folder("store")
    with opened(folder):
        pass  # it is there
    with _serving(bench, folder) as (_, host, port), opened(folder) as (_, producer):
        connection = HTTPConnection(host, port, timeout=ARRIVE_S)
        connection.request("GET", f"/v1/events/stream?project={PROJECT}&kind=version-committed")
        stream = connection.getresponse()
        times: list[float] = []
        for n in range(1, 1 + bench.size(COMMITS)):
            time.sleep(PAUSE_S)
            begun_s = time.monotonic()
            producer.send(version_events(f"{PROJECT}/of", uuid4().hex, [files([n])]))
            producer.confirm()
            while not (line := stream.readline()).startswith(b"data: "):
                if not line:
                    raise BenchFailed(f"the stream ended with status {stream.status}")
            times.append(time.monotonic() - begun_s)
        connection.close()
    median = statistics.median(times)
    yield Figure(
        bench="events-latency",
        value=median,
        unit="s",
        limit=None,
        ratio=None,
        reach=f"a median under {LATENCY_S_MAX:g} s",
        ok=median < LATENCY_S_MAX,
        runs=times,
    )


@contextmanager
def _serving(bench: Bench, folder: Path) -> Iterator[tuple[int, str, int]]:
    """A server on the folder: its process id, host and port."""
    command = ["-m", "headwater", "server", "--open", "--quiet", "--port", "0", "--url", str(folder)]
    process = start_python(command, bench.home().environment())
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if " is at " not in line:
            raise BenchFailed(f"the server did not start: {line!r}")
        at = urlsplit(line.rpartition(" is at ")[2].strip())
        yield process.pid, str(at.hostname), int(at.port or 0)
    finally:
        process.terminate()
        process.wait(CHILD_TIMEOUT_S)


async def _streamed(
    clients: list[Client], host: str, port: int, server: int, folder: Path, projects: list[str], seconds: int
) -> tuple[float, dict[str, int]]:
    """Follow with all clients while events are written: the cores that the server used, and the events by project."""
    following = [asyncio.create_task(client.follow(host, port)) for client in clients]
    await asyncio.sleep(SETTLE_S)
    begun_s, begun_cpu_s = time.monotonic(), cpu_s_of(server)
    sent = await asyncio.to_thread(_write_events, folder, projects, seconds)
    cores = (cpu_s_of(server) - begun_cpu_s) / (time.monotonic() - begun_s)
    deadline = time.monotonic() + ARRIVE_S
    while any(len(client.events) < sent[client.project] for client in clients) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    return cores, sent


def _write_events(folder: Path, projects: list[str], seconds: int) -> dict[str, int]:
    """EVENTS_PER_S in all, spread over the projects and over time; how many each got."""
    sent = dict.fromkeys(projects, 0)
    with opened(folder) as (_, producer):
        begun_s = time.monotonic()
        for n in range(seconds * EVENTS_PER_S):
            project = projects[n % len(projects)]
            producer.send([RunStarted(run=f"{project}/r{n}", job_type="train")])
            sent[project] += 1
            if n % BATCH == BATCH - 1:
                producer.confirm()
                time.sleep(max(0.0, begun_s + (n + 1) / EVENTS_PER_S - time.monotonic()))
        producer.confirm()
    return sent
