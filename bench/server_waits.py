"""Many clients that are connected and wait for one cut: what they cost, and how soon after its projection all know."""

import resource
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from headwater_producer.producer import Producer
from headwater_schemas.events import RunStarted
from headwater_schemas.positions import Cut
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores
from headwater_stores.stores import Stores

from bench.harness import BenchFailed, Figure, resident_bytes, settle
from bench.on_servers import ServerBench
from bench.projectors import Projectors
from bench.serving import Server, served

CLIENTS = 2_000
BYTES_MAX = 400_000_000
LATE_S_MAX = 1.0
PATIENCE_S = 60.0
POLL_S = 0.002
WAITING = "waiting_requests"


def measure(bench: ServerBench) -> Iterator[Figure]:
    rounds = [_round(bench, bench.size(CLIENTS)) for _ in range(bench.rounds)]
    late = [late_s for late_s, _ in rounds]
    held = max(size for _, size in rounds)
    yield Figure(
        bench="server-waits",
        value=statistics.median(late),
        unit="s",
        limit=None,
        ratio=None,
        reach=f"all answered {LATE_S_MAX:g} s after the projection at most, under {BYTES_MAX} bytes",
        ok=bench.quick or (statistics.median(late) <= LATE_S_MAX and held <= BYTES_MAX),
        runs=late,
        detail={"clients": bench.size(CLIENTS), "bytes": held},
    )


def _round(bench: ServerBench, clients: int) -> tuple[float, int]:
    """Seconds from the projection of the cut until the last answer, and the server's memory meanwhile."""
    _raise_limit(clients)
    home = bench.quiet_home(partitions=1)
    stores = open_stores(read_settings(home.environment()), create=True)
    try:
        with served(home) as server:
            cut = _written(stores)
            waiting = [_asking(server, cut) for _ in range(clients)]
            try:
                _until_they_wait(server, clients)
                size = resident_bytes(server.process.pid)
                settle()
                return _late_s(stores, cut, waiting, Projectors(home)), size
            finally:
                for one in waiting:
                    one.close()
    finally:
        stores.close()


def _raise_limit(clients: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, clients + 1024)), hard))


def _written(stores: Stores) -> Cut:
    """The cut of an event that nobody projects yet."""
    producer = Producer(stores.log, author="bench@bench")
    producer.send([RunStarted(run="bench/bench/waited-for")])
    return producer.confirm()


def _asking(server: Server, cut: Cut) -> socket.socket:
    at = urlsplit(server.home.url)
    asking = socket.create_connection((at.hostname or "", at.port or 0))
    path = f"/v1/projects/bench/bench/runs/waited-for?not_before={cut.encode()}"
    asking.sendall(f"GET {path} HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode())
    return asking


def _until_they_wait(server: Server, clients: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while server.figure(WAITING) < clients:
        if time.monotonic() > deadline:
            raise BenchFailed(f"of {clients} clients {server.figure(WAITING):g} wait.")
        time.sleep(0.1)


def _late_s(stores: Stores, cut: Cut, waiting: list[socket.socket], projectors: Projectors) -> float:
    reached: list[float] = []

    def watch() -> None:
        while not reached:
            if stores.projection.covers(cut):
                reached.append(time.monotonic())
            time.sleep(POLL_S)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        last = _last_answer(waiting)
    finally:
        watching.join()
        projectors.stop()
    return max(last - reached[0], 0.001)


def _last_answer(waiting: list[socket.socket]) -> float:
    """When the last of them was answered."""
    deadline = time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as selector:
        for one in waiting:
            selector.register(one, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(PATIENCE_S):
                answer = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                if not answer.startswith(b"HTTP/1.1 200 "):
                    raise BenchFailed(f"a client that waited was answered {answer[:200]!r}")
                selector.unregister(key.fileobj)
            if time.monotonic() > deadline:
                raise BenchFailed(f"{len(selector.get_map())} clients were not answered.")
    return time.monotonic()
