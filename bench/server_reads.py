"""CPU of a server for reading one version by alias. Limit: a bare endpoint with that one query, by the same means."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from urllib.parse import urlsplit

from headwater_stores.projection_files import projection_file

from bench import harness
from bench.harness import Bench, BenchFailed, Figure, Home, Pairs, run, settle
from bench.latency import log_small_ones
from bench.servers import cpu_s_of
from bench.serving import served
from services.ports import LOOPBACK, free_ports

REQUESTS = 2_000
WARM_UP = 200
RATIO_MAX = 2.0
PATH = "/v1/projects/bench/bench/collections/small/versions/latest"
READY_S = 60.0
POLL_S = 0.05
# It asks the database in the loop, which costs least and holds up everybody else meanwhile.
BARE = """
import sys
from pathlib import Path
import uvicorn
from fastapi import FastAPI
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_server.resources.models import Version
from headwater_server.resources.artifacts import version_model
from headwater_server.access.caller import Anybody

app, database = FastAPI(), Database.open_sqlite(Path(sys.argv[1]), create=False)

@app.get("/v1/projects/{entity}/{project}/collections/{name}/versions/{version}")
async def get_version(entity: str, project: str, name: str, version: str) -> Version:
    info = queries.version_named(database, f"{entity}/{project}/{name}", version)
    return version_model(info, Anybody())

uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False, loop="uvloop", http="httptools")
"""


def measure(bench: Bench) -> Iterator[Figure]:
    values: list[float] = []
    limits: list[float] = []
    for _ in range(bench.rounds):
        home = bench.home()
        run(home, log_small_ones, count=1)
        settle()
        with served(home) as server:
            values.append(_ms_of_one(bench, server.home.url, lambda: server.cpu_s))
        with _bare(home) as (url, cpu_s):
            limits.append(_ms_of_one(bench, url, cpu_s))
    pairs = Pairs(values, limits)
    yield pairs.figure(
        "server-read",
        unit="ms of CPU",
        reach=f"at most {RATIO_MAX:g} x a bare FastAPI endpoint with that one query",
        ok=bench.quick or pairs.ratio <= RATIO_MAX,
        detail={"requests": bench.size(REQUESTS)},
    )


def _ms_of_one(bench: Bench, url: str, cpu_s: Callable[[], float]) -> float:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=READY_S)
    try:
        _ask(connection, bench.size(WARM_UP))
        before, count = cpu_s(), bench.size(REQUESTS)
        _ask(connection, count)
        return max(cpu_s() - before, 0.001) / count * 1000
    finally:
        connection.close()


def _ask(connection: HTTPConnection, count: int) -> None:
    for _ in range(count):
        connection.request("GET", PATH)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise BenchFailed(f"{PATH} answered {response.status}: {body!r:.300}")


@contextmanager
def _bare(home: Home) -> Iterator[tuple[str, Callable[[], float]]]:
    (port,) = free_ports(1)
    with (home.folder / "bare.txt").open("ab") as log:
        arguments = ["-c", BARE, str(projection_file(home.store)), str(port)]
        process = harness.start_python(arguments, home.environment(), log=log)
    try:
        _wait_until_open(port, lambda: process.poll() is None)
        yield f"http://{LOOPBACK}:{port}", lambda: cpu_s_of(process.pid)
    finally:
        process.terminate()
        process.wait(READY_S)


def _wait_until_open(port: int, is_alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_S
    while is_alive() and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((LOOPBACK, port)):
            return
        time.sleep(POLL_S)
    raise BenchFailed("the bare endpoint did not begin.")
