"""Verify a store after a fault, without the SDK: nothing is lost, duplicated or incomplete."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from headwater_consumer import queries
from headwater_consumer.queries import VersionInfo
from headwater_schemas.names import CollectionName
from headwater_stores.servers import open_servers
from headwater_stores.stores import Stores

from tests.faults.stores import check_replay, contents_of, read_back
from tests.service_faults.deployment import NAMESPACE, Deployment
from tests.service_faults.processes import LoggedProcess

ROWS_MAX = 10_000
CATCH_UP_S = 90.0


@dataclass(frozen=True)
class Ack:
    """An acknowledgement that a writer received."""

    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class ObservedVersions:
    """The digests of each artifact's versions in a store, in order."""

    versions: dict[str, list[str]]

    def count(self, name: str) -> int:
        return len(self.versions.get(name, ()))


def acknowledged(*processes: LoggedProcess) -> list[Ack]:
    """All acknowledgements that these writers received."""
    return [
        Ack(line["name"], line["version"], line["digest"])
        for process in processes
        for line in process.lines()
        if "version" in line
    ]


def errors(*processes: LoggedProcess) -> list[dict[str, Any]]:
    """All errors that these writers received."""
    return [line for process in processes for line in process.lines() if "error" in line]


@contextmanager
def opened(deployment: Deployment) -> Iterator[Stores]:
    """The store, caught up by its projectors."""
    with closing(open_servers(deployment.profile, create=False)) as stores:
        stores.projection.catch_up(timeout_s=CATCH_UP_S)
        yield stores


def verify(
    deployment: Deployment, acks: Iterable[Ack], *, rejections: int = 0, dead_letters: int = 0
) -> ObservedVersions:
    """Check all that can be checked from the outside, and that all acknowledged versions exist exactly once."""
    with opened(deployment) as stores:
        seen = _seen(stores, acks)
        health = queries.health(stores.database)
        assert (health.rejections, health.open_dead_letters) == (rejections, dead_letters)
        check_replay(stores)
    return seen


def verify_projected(deployment: Deployment, acks: Iterable[Ack]) -> ObservedVersions:
    """As `verify`, while a partition is stopped, so that the projection cannot catch up."""
    with closing(open_servers(deployment.profile, create=False)) as stores:
        return _seen(stores, acks)


def _seen(stores: Stores, acks: Iterable[Ack]) -> ObservedVersions:
    versions: dict[str, list[str]] = {}
    for collection in queries.collections(stores.database, NAMESPACE, limit=ROWS_MAX):
        infos = queries.version_infos(stores.database, collection.collection, limit=ROWS_MAX)
        infos = sorted(infos, key=lambda info: info.version)
        name = CollectionName.parse(collection.collection).name
        assert [info.version for info in infos] == list(range(len(infos))), f"{name} has gaps"
        _check_content(stores, infos)
        versions[name] = [info.digest for info in infos]
    for ack in acks:
        digests = versions.get(ack.name, [])
        assert digests[ack.version : ack.version + 1] == [ack.digest], f"{ack} was acknowledged but does not exist"
        assert digests.count(ack.digest) == 1, f"{ack} exists twice"
    return ObservedVersions(versions)


def _check_content(stores: Stores, infos: list[VersionInfo]) -> None:
    """Content that many versions share is read once."""
    read_back(stores, {content for info in infos for content in contents_of(stores.database, info)})
