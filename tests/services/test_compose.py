"""The containers and the native servers are the same servers: one file says it for both, and Compose repeats it."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from services import compose, versions
from services.kafka import KafkaBroker
from services.minio import Minio
from services.postgres import Postgres

SERVERS = ("kafka", "postgres", "minio")
OURS = ("setup", "projector", "relay", "server")
BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(compose.FILE.read_text("utf-8"))
    return found


def test_compose_has_the_three_servers_and_keeps_the_data_of_each(file: dict[str, Any]) -> None:
    assert tuple(file["services"]) == (*SERVERS, *OURS)
    assert set(file["volumes"]) == {*SERVERS, "server-key"}
    assert [file["services"][name]["volumes"][0].split(":")[0] for name in SERVERS] == list(SERVERS)


def test_compose_pins_the_versions_that_are_started_natively(file: dict[str, Any]) -> None:
    assert {name: file["services"][name]["image"] for name in SERVERS} == {
        "kafka": f"apache/kafka:{versions.KAFKA}",
        "postgres": f"postgres:{versions.POSTGRES}",
        "minio": f"quay.io/minio/minio:{versions.MINIO_IMAGE}",
    }


def test_the_kafka_container_has_the_settings_of_the_native_broker(tmp_path: Path, file: dict[str, Any]) -> None:
    native = KafkaBroker(tmp_path, tmp_path, ports=(1, 2)).settings
    said = file["services"]["kafka"]["environment"]

    assert {name: said.get(as_variable(name)) for name in native} == native


def as_variable(setting: str) -> str:
    """How Kafka's image is told a setting."""
    return f"KAFKA_{setting.upper().replace('.', '_')}"


def test_the_postgres_container_has_the_settings_of_the_native_server(tmp_path: Path, file: dict[str, Any]) -> None:
    native = Postgres(tmp_path, tmp_path, port=1, password="word")
    program, *words = file["services"]["postgres"]["command"]

    assert program == "postgres"
    assert dict(word.split("=") for word in words[1::2]) == native.settings
    assert set(words[::2]) == {"-c"}


def test_both_ways_encode_and_sort_text_alike_and_ask_for_the_password_alike(
    tmp_path: Path, file: dict[str, Any]
) -> None:
    native = Postgres(tmp_path, tmp_path, port=1, password="word").initdb_options
    said = file["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()

    assert [word for word in native if word not in said] == ["--auth-local=scram-sha-256"]  # no sockets natively
    assert set(said) <= set(native)


def test_the_minio_container_has_the_settings_of_the_native_server(tmp_path: Path, file: dict[str, Any]) -> None:
    native = Minio(tmp_path, tmp_path, port=1, password="word").environment()
    said = file["services"]["minio"]["environment"]

    assert {**said, "MINIO_ROOT_PASSWORD": "word"} == native


def test_users_and_passwords_are_the_same_and_can_be_set_by_the_same_variables(file: dict[str, Any]) -> None:
    postgres, minio = (file["services"][name]["environment"] for name in ("postgres", "minio"))

    assert (postgres["POSTGRES_USER"], postgres["POSTGRES_DB"]) == (versions.USER, versions.DATABASE)
    assert postgres["POSTGRES_PASSWORD"] == variable(versions.POSTGRES_PASSWORD_VARIABLE, versions.POSTGRES_PASSWORD)
    assert minio["MINIO_ROOT_USER"] == versions.USER
    assert minio["MINIO_ROOT_PASSWORD"] == variable(versions.MINIO_PASSWORD_VARIABLE, versions.MINIO_PASSWORD)


def variable(name: str, otherwise: str) -> str:
    """How Compose is told to use a variable of the environment."""
    return f"${{{name}:-{otherwise}}}"


def test_every_port_is_open_on_loopback_alone_and_where_clients_are_told(file: dict[str, Any]) -> None:
    published = {name: server["ports"] for name, server in file["services"].items() if "ports" in server}

    assert published == {
        "kafka": [f"127.0.0.1:{compose.PORTS['Kafka']}:{compose.PORTS['Kafka']}"],
        "postgres": [f"127.0.0.1:{compose.PORTS['PostgreSQL']}:5432"],
        "minio": [f"127.0.0.1:{compose.PORTS['MinIO']}:9000"],
        "server": ["127.0.0.1:28470:8470"],
    }
    advertised = file["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"PLAINTEXT://{compose.servers().kafka}" in advertised.split(",")


@pytest.mark.parametrize("name", [*SERVERS, "projector", "relay", "server"])
def test_compose_knows_when_a_server_is_ready(name: str, file: dict[str, Any]) -> None:
    assert file["services"][name]["healthcheck"]["test"]


def test_the_tools_of_containers_find_no_fault_in_their_files() -> None:
    subprocess.run([BIN / "docker-compose", "--file", compose.FILE, "config", "--quiet"], check=True)
    subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], check=True)


def test_the_image_is_made_of_every_package_that_the_wheel_is_made_of() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    kept = (ROOT / ".dockerignore").read_text("utf-8").splitlines()

    assert {f"!{package.partition('/')[0]}" for package in packages["packages"]} <= set(kept)


def test_headwaters_own_services_use_the_servers_as_they_are_set_up(file: dict[str, Any]) -> None:
    said = file["services"]["server"]["environment"]
    postgres = variable(versions.POSTGRES_PASSWORD_VARIABLE, versions.POSTGRES_PASSWORD)

    assert (
        said["HEADWATER_DATABASE_URL"] == f"postgresql://{versions.USER}:{postgres}@postgres:5432/{versions.DATABASE}"
    )
    assert said["HEADWATER_S3_SECRET_KEY"] == variable(versions.MINIO_PASSWORD_VARIABLE, versions.MINIO_PASSWORD)
    assert {name: file["services"][name]["environment"] for name in OURS} == dict.fromkeys(OURS, said)
