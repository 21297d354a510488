"""All of headwater by one command: what `make service` runs are the commands of the containers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from services import ServicesFailed
from services.ports import free_ports
from services.service import Service, headwater, service_commands
from tests.server.relayed import told
from tests.service_faults.deployment import ENTITY, PROJECT, Deployment, deployed
from tests.support.serving import until

PORTS = ("8470", "9464", "9465")  # those of the file, which another may have on this machine


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as deployment:
        yield deployment


@pytest.fixture
def service(deployment: Deployment, tmp_path: Path) -> Iterator[Service]:
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    service = Service(tmp_path / "service", deployment.environment, ports=ports)
    try:
        yield service
    finally:
        for process in service.processes:
            process.kill()


def test_each_is_asked_for_its_health_where_it_serves_it() -> None:
    commands = service_commands()
    assert [name for name, command in commands.items() if not command.asks] == ["setup"]
    for name in ("projector", "relay", "server"):
        _, port = commands[name].words[commands[name].words.index("--port") :][:2]
        assert commands[name].asks[0] == "health"
        assert f"http://127.0.0.1:{port}/" in commands[name].asks[1]
        assert port in PORTS


def client(service: Service, token: str, folder: Path) -> Mapping[str, str]:
    """The environment of a user, who has two variables."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    ours = {"HEADWATER_SETTINGS": os.devnull, "HEADWATER_CACHE_DIR": str(folder / "cache"), "HOME": str(folder)}
    return {**plain, **ours, "HEADWATER_URL": service.address, "HEADWATER_TOKEN": token}


@pytest.mark.slow  # starts every process of headwater, and each loads Python
def test_one_command_starts_it_all_for_a_client_with_two_variables_and_a_reader_of_the_topic(
    service: Service, deployment: Deployment, tmp_path: Path
) -> None:
    service.start()
    made = headwater(["token", "create", "ana", ENTITY, "--role", "admin"], service.environment)
    assert made.returncode == 0, made.stderr
    (tmp_path / "cat.txt").write_text("a cat")

    words = ["log", "cat.txt", "-n", "pets", "--entity", ENTITY, "--project", PROJECT]
    command = [sys.executable, "-m", "headwater", *words]
    environment = client(service, made.stdout.strip(), tmp_path)
    logged = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert logged.returncode == 0, logged.stderr

    until(lambda: f"{ENTITY}/{PROJECT}/pets:v0" in artifacts_told(deployment))
    assert [process.alive for process in service.processes] == [True, True, True]
    service.stop()
    assert [process.alive for process in service.processes] == [False, False, False]
    assert [process.title for process in service.processes if "Traceback" in process.log.read_text()] == []


def artifacts_told(deployment: Deployment) -> set[str | None]:
    """The versions that events in the relay's topic are about."""
    return {one.event.artifact for partition in told(deployment) for one in partition}


@pytest.mark.slow
def test_the_set_up_makes_what_is_missing_and_leaves_what_is_there(service: Service, deployment: Deployment) -> None:
    first = headwater(["setup"], service.environment)
    again = headwater(["setup"], service.environment)

    assert (first.returncode, again.returncode) == (0, 0), (first.stderr, again.stderr)
    assert first.stdout == again.stdout
    assert f"version events in topic {deployment.topic}-events" in first.stdout
    assert "operational tables in" in first.stdout
    assert told(deployment) == [[]] * len(told(deployment))
    key = Path(service.environment["HEADWATER_SERVER_KEY_FILE"])
    assert key.stat().st_mode & 0o777 == 0o600
    assert str(key) in first.stdout
    assert key.read_text().strip() not in first.stdout

    without = headwater(["setup"], {**service.environment, "HEADWATER_SERVER_KEY_FILE": ""})
    assert "no key for servers" in without.stdout


@pytest.mark.slow
def test_one_that_cannot_start_is_told_with_what_it_said(deployment: Deployment, tmp_path: Path) -> None:
    service = Service(tmp_path, {**deployment.environment, "HEADWATER_KAFKA_PARTITIONS": "many"})
    with pytest.raises(ServicesFailed, match=r"`headwater setup` failed: .*kafka_partitions"):
        service.start()
