"""A store on servers, and the processes that use it."""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from headwater_blobs.s3.settings import S3Settings
from headwater_stores.config.profile import Profile
from headwater_stores.config.settings import read_settings

from services.minio import Minio
from services.postgres import Postgres
from services.versions import USER
from tests.service_faults.processes import Fault, LoggedProcess, command_of
from tests.support import buckets
from tests.support.modes import database_url
from tests.support.servers import fresh_bucket_name, fresh_topic_name, servers
from tests.support.sessions import SESSION_S, SHORT_SESSION_S

ENTITY, PROJECT = "team", "faults"
NAMESPACE = f"{ENTITY}/{PROJECT}"
PARTITIONS = 4

_ENDPOINT = re.compile(r"Health and metrics are at (http://\S+)/health")


@dataclass(frozen=True)
class OwnServers:
    """Servers of one test, to be broken; the shared ones are used for those that are None."""

    kafka: str | None = None
    postgres: Postgres | None = None
    minio: Minio | None = None
    partitions: int = PARTITIONS
    copies: int = 1  # replicas of each record


class ProjectorProcess(LoggedProcess):
    """A projector process."""

    def joined(self) -> "ProjectorProcess":
        """Wait until it has joined its group; returns itself."""
        self.wait_until(lambda: "are assigned to this process" in self.stderr_text(), "partitions")
        return self

    def health(self) -> tuple[int, dict[str, Any]]:
        """The status code and content of its health page."""
        (endpoint,) = _ENDPOINT.findall(self.stderr_text())
        try:
            with urllib.request.urlopen(f"{endpoint}/health", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@dataclass
class Deployment:
    """Where a store is, and its processes."""

    folder: Path
    environment: Mapping[str, str]
    s3: S3Settings
    started: list[LoggedProcess] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    @property
    def profile(self) -> Profile:
        profile = read_settings(self.environment).profile
        assert profile is not None
        return profile

    @property
    def topic(self) -> str:
        return self.environment["HEADWATER_KAFKA_TOPIC"]

    def writer(self, name: str, commits: int, *more: object, fault: Fault | None = None) -> LoggedProcess:
        """Start a process that logs versions of an artifact; see `writer`."""
        return self.run("tests.service_faults.writer", name, commits, *more, fault=fault)

    def run(self, module: str, *arguments: object, fault: Fault | None = None) -> LoggedProcess:
        """Start a module of this package."""
        command = command_of(module, [str(argument) for argument in arguments], fault)
        return self._started(LoggedProcess(command, self.environment, self.folder, f"writer-{next(self._numbers)}"))

    def command(self, *arguments: str, fault: Fault | None = None) -> LoggedProcess:
        """Start `headwater ARGUMENTS`."""
        command = ["-m", "headwater", *arguments]
        if fault is not None:
            command = ["-m", "tests.service_faults.at_point", *map(str, fault), "headwater", *arguments]
        return self._started(LoggedProcess(command, self.environment, self.folder, f"command-{next(self._numbers)}"))

    def projector(self, *, fault: Fault | None = None, session_s: float | None = None) -> ProjectorProcess:
        """Start a projector; `joined` waits until it works. One with a fault is soon missed unless told otherwise."""
        session_s = session_s or (SHORT_SESSION_S if fault else SESSION_S)
        command = command_of("tests.service_faults.projector", [str(session_s)], fault)
        process = ProjectorProcess(command, self.environment, self.folder, f"projector-{next(self._numbers)}")
        self.started.append(process)
        return process

    def _started(self, process: LoggedProcess) -> LoggedProcess:
        self.started.append(process)
        return process


@contextmanager
def deployed(folder: Path, place: OwnServers = OwnServers()) -> Iterator[Deployment]:
    """A store that does not exist yet. Its processes end with the block."""
    s3 = _bucket(place.minio)
    deployment = Deployment(folder / "processes", _environment(folder, place, s3), s3)
    deployment.folder.mkdir()
    try:
        yield deployment
    finally:
        for process in deployment.started:
            process.kill()
    if place.minio is None:
        buckets.remove(s3)


def _bucket(minio: Minio | None) -> S3Settings:
    if minio is None:
        return buckets.fresh()
    return S3Settings(minio.endpoint, fresh_bucket_name(), USER, minio.password)


def _environment(folder: Path, place: OwnServers, s3: S3Settings) -> dict[str, str]:
    topic = fresh_topic_name()
    return {
        "HEADWATER_URL": "profile:faults",
        "HEADWATER_ENTITY": ENTITY,
        "HEADWATER_PROJECT": PROJECT,
        "HEADWATER_QUIET": "true",
        "HEADWATER_CACHE_DIR": str(folder / "cache"),
        "HEADWATER_SETTINGS": os.devnull,
        "HEADWATER_KAFKA_SERVERS": place.kafka or servers().kafka,
        "HEADWATER_KAFKA_TOPIC": topic,
        "HEADWATER_KAFKA_PARTITIONS": str(place.partitions),
        "HEADWATER_KAFKA_REPLICATION": str(place.copies),
        "HEADWATER_KAFKA_MIN_INSYNC_REPLICAS": str(max(1, place.copies - 1)),
        "HEADWATER_DATABASE_URL": place.postgres.url() if place.postgres else database_url(),
        "HEADWATER_DATABASE_SCHEMA": topic.replace("-", "_"),
        "HEADWATER_S3_ENDPOINT": s3.endpoint,
        "HEADWATER_S3_BUCKET": s3.bucket,
        "HEADWATER_S3_ACCESS_KEY": str(s3.access_key),
        "HEADWATER_S3_SECRET_KEY": str(s3.secret_key),
    }
