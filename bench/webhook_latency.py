"""How soon a receiver hears of a commit: from the call of `log_artifact` to the request, while nothing else goes on."""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import headwater

from bench.harness import Bench, BenchFailed, Figure, Result, run, settle
from bench.logging_runs import small_artifact
from bench.serving import served
from services.ports import LOOPBACK

SAMPLES = 100
PAUSE_S = 0.25  # what was told before is over long before
MEDIAN_MAX_S = 0.15
ARRIVED_S = 30.0
SCOPE = "bench"  # the entity of every home


def measure(bench: Bench) -> Iterator[Figure]:
    count = bench.size(SAMPLES)
    medians: list[float] = []
    slowest: list[float] = []
    for _ in range(bench.rounds):
        with served(bench.home(), "--webhook-allow", LOOPBACK) as server, _receiving() as (url, heard):
            _add(server.home.url, url)
            settle()
            begun: list[float] = run(server.home, log_now_and_then, count=count)["begun"]
            _wait_for(heard, count + 1)
        seconds = [arrived - start for start, arrived in zip(begun, heard[1:], strict=True)]
        medians.append(statistics.median(seconds))
        slowest.append(max(seconds))
    median = statistics.median(medians)
    yield Figure(
        bench="webhook-latency",
        value=median,
        unit="s",
        limit=None,
        ratio=None,
        reach=f"median less than {MEDIAN_MAX_S} s",
        ok=median < MEDIAN_MAX_S,
        runs=medians,
        detail={"samples": count, "slowest_s": slowest},
    )


def log_now_and_then(count: int) -> Result:
    """When each began, by the clock that all processes of a machine share; one before them makes connections."""
    begun: list[float] = []
    with headwater.init(job_type="bench") as run_handle:
        for n in range(-1, count):
            artifact = small_artifact("small", f"{n}")
            time.sleep(PAUSE_S)
            begun.append(time.monotonic())
            run_handle.log_artifact(artifact)
            artifact.wait()
    return {"begun": begun[1:]}


@contextmanager
def _receiving() -> Iterator[tuple[str, list[float]]]:
    """A receiver, and when it was told of each commit."""
    heard: list[float] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(time.monotonic())
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as it is called
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}/", heard
    finally:
        server.shutdown()
        server.server_close()


def _add(server: str, url: str) -> None:
    connection = HTTPConnection(urlsplit(server).netloc, timeout=ARRIVED_S)
    given = json.dumps({"scope": SCOPE, "url": url, "kinds": ["version-committed"]})
    connection.request("POST", "/v1/subscriptions", given, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 201:
        raise BenchFailed(f"the webhook was not added: {answer.status} {answer.read().decode()}")
    connection.close()


def _wait_for(heard: list[float], count: int) -> None:
    deadline = time.monotonic() + ARRIVED_S
    while len(heard) < count:
        if time.monotonic() > deadline:
            raise BenchFailed(f"the receiver was told of {len(heard)} commits, not of {count}.")
        time.sleep(0.05)
