"""The three servers as processes on this machine."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from services.binaries import Binaries
from services.kafka import KafkaBroker, new_cluster_id
from services.minio import Minio
from services.ports import free_ports, is_free
from services.postgres import Postgres
from services.processes import Server, recorded, start_all, stop_all
from services.servers import Servers
from services.versions import (
    DATABASE,
    MINIO_PASSWORD,
    MINIO_PASSWORD_VARIABLE,
    POSTGRES_PASSWORD,
    POSTGRES_PASSWORD_VARIABLE,
    USER,
)

# The name of each port, and the folder of the server that listens on it.
_PORTS = {"kafka": "kafka", "kafka-controller": "kafka", "postgres": "postgres", "minio": "minio"}


class NativeServers:
    """All servers in one folder, which keeps their data and, while they are free, their ports between runs."""

    def __init__(
        self,
        folder: Path,
        programs: Binaries,
        *,
        durable: bool = True,
        detached: bool = False,
    ) -> None:
        ports = _ports(folder)
        postgres_password, minio_password = passwords()
        self.kafka = KafkaBroker(
            folder / "kafka",
            programs.kafka,
            ports=(ports["kafka"], ports["kafka-controller"]),
            cluster_id=new_cluster_id(),
            detached=detached,
        )
        self.postgres = Postgres(
            folder / "postgres",
            programs.postgres,
            port=ports["postgres"],
            password=postgres_password,
            durable=durable,
            detached=detached,
        )
        self.minio = Minio(
            folder / "minio", programs.minio, port=ports["minio"], password=minio_password, detached=detached
        )

    @property
    def all(self) -> tuple[Server, ...]:
        """All servers, in the order in which they are stopped."""
        return (self.kafka, self.postgres, self.minio)

    @property
    def servers(self) -> Servers:
        """Their addresses, whether or not they are running."""
        return Servers(
            kafka=self.kafka.address,
            postgres=self.postgres.url(),
            s3_endpoint=self.minio.endpoint,
            s3_access_key=USER,
            s3_secret_key=self.minio.password,
            s3_folder=str(self.minio.data),
        )

    def start(self) -> Servers:
        """Start those that are not running, and return their addresses."""
        start_all(self.all)
        self.postgres.create_database(DATABASE)
        return self.servers

    def stop(self) -> None:
        """Stop those that are running."""
        stop_all(self.all)


def passwords(environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The passwords of PostgreSQL and MinIO, from the environment or the defaults."""
    return (
        environment.get(POSTGRES_PASSWORD_VARIABLE, POSTGRES_PASSWORD),
        environment.get(MINIO_PASSWORD_VARIABLE, MINIO_PASSWORD),
    )


def _ports(folder: Path) -> dict[str, int]:
    """The ports of the last run, except those that another program uses by now."""
    file = folder / "ports.json"
    ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    kept = {
        name: ports[name]
        for name, server in _PORTS.items()
        if name in ports and (recorded(folder / server) or is_free(ports[name]))
    }
    missing = [name for name in _PORTS if name not in kept]
    kept.update(zip(missing, free_ports(len(missing)), strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept))
    return kept
