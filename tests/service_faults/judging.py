"""Look at what is in a store after a fault, past the SDK: nothing lost, nothing twice, nothing half."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from headwater._stores.servers import open_servers
from headwater._stores.stores import Stores
from headwater_consumer import queries
from headwater_consumer.queries import VersionInfo
from headwater_schemas.names import CollectionName

from tests.faults.stores import check_replay, contents_of, read_back
from tests.service_faults.processes import Running
from tests.service_faults.stage import NAMESPACE, Stage

ROWS_MAX = 10_000
CATCH_UP_S = 90.0


@dataclass(frozen=True)
class Ack:
    """What a writer was told."""

    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class Seen:
    """What a store answers: the digests of each artifact's versions, in order."""

    versions: dict[str, list[str]]

    def count(self, name: str) -> int:
        return len(self.versions.get(name, ()))


def acknowledged(*processes: Running) -> list[Ack]:
    """All that these writers were told is there."""
    return [
        Ack(line["name"], line["version"], line["digest"])
        for process in processes
        for line in process.lines()
        if "version" in line
    ]


def errors(*processes: Running) -> list[dict[str, Any]]:
    """All that these writers were told instead."""
    return [line for process in processes for line in process.lines() if "error" in line]


@contextmanager
def opened(stage: Stage) -> Iterator[Stores]:
    """The store, caught up by its projectors."""
    with closing(open_servers(stage.profile, create=False)) as stores:
        stores.projection.catch_up(timeout_s=CATCH_UP_S)
        yield stores


def judge(stage: Stage, acks: Iterable[Ack], *, rejections: int = 0, dead_letters: int = 0) -> Seen:
    """Everything that can be checked from the outside, checked. All that was acknowledged is in there, once."""
    with opened(stage) as stores:
        seen = _seen(stores, acks)
        health = queries.health(stores.database)
        assert (health.rejections, health.open_dead_letters) == (rejections, dead_letters)
        check_replay(stores)
    return seen


def judge_what_is_there(stage: Stage, acks: Iterable[Ack]) -> Seen:
    """As `judge`, where a partition is stopped, so that nobody can catch up, or replay."""
    with closing(open_servers(stage.profile, create=False)) as stores:
        return _seen(stores, acks)


def _seen(stores: Stores, acks: Iterable[Ack]) -> Seen:
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
        assert digests[ack.version : ack.version + 1] == [ack.digest], f"{ack} was acknowledged, and is not there"
        assert digests.count(ack.digest) == 1, f"{ack} is there twice"
    return Seen(versions)


def _check_content(stores: Stores, infos: list[VersionInfo]) -> None:
    """Content that many versions share is read once."""
    read_back(stores, {content for info in infos for content in contents_of(stores.database, info)})
