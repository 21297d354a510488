"""The three servers as containers, by Docker Compose."""

import os
import shutil
import subprocess
from pathlib import Path

from services import ServicesFailed
from services.cache import report
from services.native import passwords
from services.ports import LOOPBACK, is_open
from services.postgres import postgres_url
from services.servers import Servers
from services.versions import COMPOSE_KAFKA_PORT, COMPOSE_MINIO_PORT, COMPOSE_POSTGRES_PORT, USER

FILE = Path(__file__).parent.parent / "docker-compose.yml"
ASK_S = 20.0  # for an answer of the engine
ERROR_LINES = 15

SERVICES = ("kafka", "postgres", "minio")  # what headwater runs on; the file has headwater itself, too
PORTS = {"Kafka": COMPOSE_KAFKA_PORT, "PostgreSQL": COMPOSE_POSTGRES_PORT, "MinIO": COMPOSE_MINIO_PORT}


def works() -> bool:
    """Whether a container engine with Docker Compose is running; the installed program alone is not enough."""
    return bool(shutil.which("docker")) and _succeeds("info") and _succeeds("compose", "version")


def servers() -> Servers:
    """The addresses of the containers."""
    postgres_password, minio_password = passwords()
    return Servers(
        kafka=f"{LOOPBACK}:{COMPOSE_KAFKA_PORT}",
        postgres=postgres_url(postgres_password, COMPOSE_POSTGRES_PORT, "postgres"),
        s3_endpoint=f"http://{LOOPBACK}:{COMPOSE_MINIO_PORT}",
        s3_access_key=USER,
        s3_secret_key=minio_password,
    )


def up() -> None:
    """Start the containers and wait until their health checks pass."""
    report("services: starting containers by Docker Compose")
    _compose("up", "--detach", "--wait", *SERVICES)


def down() -> None:
    """Stop the containers; their volumes are kept."""
    _compose("down")


def states() -> dict[str, bool]:
    """Whether each server accepts connections, by title."""
    return {title: is_open(port) for title, port in PORTS.items()}


def _compose(*words: str) -> None:
    command = ["docker", "compose", "--file", str(FILE), *words]
    ended = subprocess.run(command, env=dict(os.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ended.returncode:
        said = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-ERROR_LINES:])
        raise ServicesFailed(
            f"`docker compose {words[0]}` failed with exit code {ended.returncode}. Fix that, or start the servers "
            f"without containers: `python -m services up --native`. Its output:\n{said}"
        )


def _succeeds(*words: str) -> bool:
    try:
        return subprocess.run(["docker", *words], capture_output=True, timeout=ASK_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False
