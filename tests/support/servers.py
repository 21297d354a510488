"""Real servers for tests: one set for the whole run, whichever process of it asks first, and own ones to be broken.

The set belongs to a keeper, a process of its own that ends it when the run is over, however the run ended. Where the
servers' programs are missing it first has them built, at low priority: meanwhile the other tests run. A missing tool is
an error that every test which asks gets to see; no test is left out. `python -m tests.support.servers` is the keeper.

HEADWATER_TEST_SERVERS=FILE names running servers to use instead: JSON with the fields of `Servers`.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from services import ServicesFailed, gcs
from services.binaries import Binaries, binaries, program_paths
from services.cache import VARIABLE, cache_folder, locked
from services.kafka import KafkaBroker, KafkaCluster
from services.minio import Minio
from services.native import NativeServers, passwords
from services.ports import free_ports
from services.postgres import Postgres, create_database
from services.processes import Process, Server, tail
from services.servers import Servers

ROOT = Path(__file__).parent.parent.parent
RUN_VARIABLE = "HEADWATER_TEST_RUN"  # how the processes of one run know each other
RUNNING_VARIABLE = "HEADWATER_TEST_SERVERS"
START_S = 280.0  # once their programs are there; under the time that one test may take
STOP_S = 60.0
BUILD_NICENESS = 10  # a tenth of the time that a test gets beside it
POLL_S = 0.1

_S = TypeVar("_S", bound=Server)


@dataclass(frozen=True)
class Run:
    """One test run, as each of its processes knows it."""

    folder: Path  # made when a server is first asked for
    controller: Process  # the process whose end is the end of the run
    environment: Mapping[str, str]  # as it was given to the run; tests see another


_runs: list[Run] = []  # the one of this process, from its beginning to its end


def begin_run(config: pytest.Config) -> None:
    """Called when pytest starts, in the controlling process and in each worker."""
    if not hasattr(config, "workerinput"):
        me = Process.of(os.getpid()) or Process(
            os.getpid(), ""
        )  # where processes cannot be told apart, none is started
        folder = Path(tempfile.gettempdir()) / f"headwater-test-{secrets.token_hex(6)}"
        os.environ[RUN_VARIABLE] = json.dumps([str(folder), me.pid, me.start_time])
    folder_name, pid, start_time = json.loads(os.environ[RUN_VARIABLE])
    environment = {**os.environ, VARIABLE: str(cache_folder())}
    _runs.append(Run(Path(folder_name), Process(pid, start_time), environment))


def end_run(config: pytest.Config) -> None:
    """Called when pytest ends; the controlling process ends the servers."""
    run = _runs.pop()
    if hasattr(config, "workerinput"):
        return
    os.environ.pop(RUN_VARIABLE, None)
    keeper_file = run.folder / "keeper.json"
    if keeper_file.exists():
        keeper = Process(*json.loads(keeper_file.read_text()))
        keeper.signal(signal.SIGTERM)
        keeper.ends_within(STOP_S)
    shutil.rmtree(run.folder, ignore_errors=True)


@cache
def servers() -> Servers:
    """The servers of this run; the first to ask waits until they are up.

    Raises:
        ServicesFailed: they cannot be had; the message says why.
    """
    run = _run()
    if running := run.environment.get(RUNNING_VARIABLE):
        return Servers.from_json(Path(running).read_text())
    _ensure_keeper(run)
    return _await_servers(run)


def start() -> None:
    """Begin to start the servers, and to build their programs if necessary, without waiting."""
    run = _run()
    if RUNNING_VARIABLE not in run.environment:
        with suppress(ServicesFailed):  # which the tests that ask for servers get to see
            _ensure_keeper(run)


def programs_are_there(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether nothing has to be built before the shared servers can start."""
    if RUNNING_VARIABLE in environment:
        return True
    try:
        found = program_paths(environment)
    except ServicesFailed:  # on this machine nothing can be built
        return True
    return found.kafka.is_dir() and found.postgres.is_dir() and found.minio.is_file()


@cache
def wait_for_programs(*, google: bool) -> None:
    """Wait until the programs of the servers are built and, with `google`, that of the stand-in, however long it takes.

    Errors are raised in the tests that use the servers.
    """
    run = _run()
    with suppress(ServicesFailed):
        if google:
            gcs.program(run.environment)
        if not programs_are_there(run.environment):
            binaries(run.environment)


@cache
def programs() -> Binaries:
    """The programs of the servers, for a test that starts its own."""
    return binaries(_run().environment)


@contextmanager
def own_kafka(folder: Path, **settings: str) -> Iterator[KafkaBroker]:
    """A broker to be broken; settings of Kafka's have `_` for each dot."""
    (port, controller_port) = free_ports(2)
    named = {name.replace("_", "."): value for name, value in settings.items()}
    with _running(KafkaBroker(folder, programs().kafka, ports=(port, controller_port), settings=named)) as broker:
        yield broker


@contextmanager
def own_kafka_cluster(folder: Path, brokers: int = 3, **settings: str) -> Iterator[KafkaCluster]:
    """Brokers to be broken, one by one."""
    named = {name.replace("_", "."): value for name, value in settings.items()}
    cluster = KafkaCluster(folder, programs().kafka, brokers=brokers, settings=named)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()


@contextmanager
def own_postgres(
    folder: Path, *, durable: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[Postgres]:
    """A PostgreSQL to be broken."""
    password, _ = passwords({})
    (port,) = free_ports(1)
    server = Postgres(folder, programs().postgres, port=port, password=password, durable=durable, settings=settings)
    with _running(server):
        yield server


@contextmanager
def own_minio(folder: Path) -> Iterator[Minio]:
    """A MinIO to be broken."""
    _, password = passwords({})
    (port,) = free_ports(1)
    with _running(Minio(folder, programs().minio, port=port, password=password)) as server:
        yield server


@contextmanager
def own_google_stand_in(folder: Path) -> Iterator[gcs.GoogleStandIn]:
    """A stand-in for Google Cloud Storage, which starts at once."""
    (port,) = free_ports(1)
    with _running(gcs.GoogleStandIn(folder, gcs.program(_run().environment), port=port)) as server:
        yield server


def fresh_topic_name() -> str:
    """A topic's name that no other test uses."""
    return f"test-{secrets.token_hex(8)}"


def fresh_bucket_name() -> str:
    """A bucket's name that no other test uses."""
    return f"test-{secrets.token_hex(8)}"


def fresh_database() -> str:
    """The URL of a new, empty database of this run's PostgreSQL."""
    name = f"test_{secrets.token_hex(8)}"
    create_database(servers().postgres, name)
    return servers().database(name)


@contextmanager
def _running(server: _S) -> Iterator[_S]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _run() -> Run:
    if not _runs:
        raise ServicesFailed("Servers for tests exist only while pytest runs with tests/conftest.py.")
    return _runs[-1]


def _ensure_keeper(run: Run) -> None:
    """Start the keeper unless another process of the run has. Raises: ServicesFailed."""
    program_paths(run.environment)  # which refuses a machine that the servers do not run on
    run.folder.mkdir(exist_ok=True)
    with locked(run.folder / "lock"):
        if not (run.folder / "keeper.json").exists():
            _start_keeper(run)


def _start_keeper(run: Run) -> None:
    with (run.folder / "keeper.txt").open("ab") as log:
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.servers",
                str(run.folder),
                str(run.controller.pid),
                run.controller.start_time,
            ],
            cwd=ROOT,
            env=dict(run.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives the worker that happened to start it
        )
    keeper = Process.of(child.pid)
    assert keeper is not None
    _write(run.folder / "keeper.json", json.dumps([keeper.pid, keeper.start_time]))


def _await_servers(run: Run) -> Servers:
    keeper = Process(*json.loads((run.folder / "keeper.json").read_text()))
    deadline = time.monotonic() + START_S
    while not (run.folder / "servers.json").exists():
        if (run.folder / "failed.txt").exists():
            raise ServicesFailed((run.folder / "failed.txt").read_text())
        if not keeper.alive or time.monotonic() > deadline:
            raise ServicesFailed(f"The servers for the tests did not come up:\n{tail(run.folder / 'keeper.txt')}")
        time.sleep(POLL_S)
    return Servers.from_json((run.folder / "servers.json").read_text())


def run_keeper(folder: Path, controller: Process) -> None:
    """Start the servers, write their addresses to a file, and stop them when the run is over."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    native: NativeServers | None = None
    building: subprocess.Popen[bytes] | None = None
    try:
        if not (programs_are_there() and gcs.path_of_program().is_file()):
            building = _build_programs()
        native = NativeServers(folder / "servers", binaries(), durable=False)
        _write(folder / "servers.json", json.dumps(native.start().to_dict()))
        while controller.alive:
            controller.ends_within(STOP_S)
    except ServicesFailed as error:
        _write(folder / "failed.txt", str(error))
    finally:
        for server in native.all if native else ():
            server.kill()  # the data is disposable
        if building is not None and building.poll() is None:
            os.killpg(building.pid, signal.SIGKILL)
        if not controller.alive:  # which would otherwise remove it
            shutil.rmtree(folder, ignore_errors=True)


def _build_programs() -> "subprocess.Popen[bytes]":
    """Download and build what is missing, in processes that give way to the tests; wait for what the servers need."""
    command = [sys.executable, "-m", "services", "get"]
    building = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=lambda: os.nice(BUILD_NICENESS)
    )
    while building.poll() is None and not programs_are_there():
        time.sleep(POLL_S)
    return building


def _write(path: Path, text: str) -> None:
    """Write a file that is complete as soon as it exists."""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(path)


if __name__ == "__main__":
    run_keeper(Path(sys.argv[1]), Process(int(sys.argv[2]), sys.argv[3]))
