"""`headwater gc` where the projection stands still: it names a partition that holds it up and deletes nothing, and the
next one finishes.
"""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from headwater_consumer.queries.broadcasts import condemned_among
from headwater_schemas.keys import collection_key
from headwater_stores.servers import open_servers

from tests.faults.stores import check_replay
from tests.service_faults.deployment import NAMESPACE, PARTITIONS, Deployment, ProjectorProcess, deployed
from tests.service_faults.processes import LoggedProcess
from tests.service_faults.verification import CATCH_UP_S, opened
from tests.support.projector_host import projected

pytestmark = pytest.mark.slow

NAME = "data"
COLLECTION = f"{NAMESPACE}/{NAME}"
LARGE_BYTES = 1_500_000  # an object of its own
# Nobody takes the partitions of a suspended projector over while a collection waits. Members learn by their heartbeats
# that another one came, and the longer the session, the fewer these are.
LONG_SESSION_S = 30.0
GC = ("gc", "--grace", "0s", "--json")
IMPATIENT = (*GC, "--wait", "2s")
BEHIND = re.compile(r"did not catch up within \S+ \S+: partition (\d+) is 1 records? behind")


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as deployment:
        yield deployment


def prune(deployment: Deployment) -> None:
    """Log two versions, each with an object of its own, and delete the first for good."""
    file = deployment.folder / "large"
    for content in (b"1", b"2"):
        file.write_bytes(content * LARGE_BYTES)
        deployment.command("log", str(file), "--name", NAME).succeeded()
    deployment.command("project", "--restore-days", "0").succeeded()
    deployment.command("rm", f"{NAME}:v0").succeeded()
    with opened(deployment):
        pass  # all of it is projected


def stored(deployment: Deployment) -> set[str]:
    with closing(open_servers(deployment.profile, create=False)) as stores:
        return {found.name for found in stores.blobs.list_objects()}


def condemnations(deployment: Deployment) -> list[int]:
    """Of each object that is condemned, by how many partitions."""
    with closing(open_servers(deployment.profile, create=False)) as stores:
        names = [found.name for found in stores.blobs.list_objects()]
        return list(condemned_among(stores.database, names).values())


def partition_that_held_up(collection: LoggedProcess) -> int:
    """The one that a collection named when it ended without deleting anything."""
    assert collection.exit_code() == 1, collection.output()
    assert "{" not in collection.out.read_text(), "it reports nothing"
    (partition,) = BEHIND.findall(collection.stderr_text())
    return int(partition)


def freed(deployment: Deployment) -> Any:
    collection = deployment.command(*GC)
    collection.succeeded()
    return json.loads(collection.out.read_text())


def check_finished(deployment: Deployment, *, purged: int) -> None:
    """The next collection does what is left, and then there is nothing to do."""
    found = freed(deployment)
    assert (found["purged"], found["deleted"], found["bytes_freed"]) == (purged, 1, LARGE_BYTES)
    assert len(stored(deployment)) == 1
    assert (freed(deployment)["deleted"], condemnations(deployment)) == (0, [])
    deployment.command("get", f"{NAME}:v1", "out").succeeded()
    assert (deployment.folder / "out" / "large").read_bytes() == b"2" * LARGE_BYTES


def test_without_a_projector_a_collection_that_was_begun_is_finished_when_there_is_one(deployment: Deployment) -> None:
    with projected(deployment.environment):
        prune(deployment)
    before = stored(deployment)

    held_up_by = partition_that_held_up(deployment.command(*IMPATIENT))

    with closing(open_servers(deployment.profile, create=False)) as stores:
        assert held_up_by == stores.log.partition_of(collection_key(COLLECTION)), "the purge is not judged"
    assert (stored(deployment), condemnations(deployment)) == (before, [])
    again = partition_that_held_up(deployment.command(*IMPATIENT))
    assert (again, stored(deployment)) == (held_up_by, before)
    with projected(deployment.environment):
        check_finished(deployment, purged=0)


def test_what_was_condemned_when_the_projector_ended_is_deleted_when_it_is_back(deployment: Deployment) -> None:
    with projected(deployment.environment):
        prune(deployment)
        before = stored(deployment)
        collection = deployment.command(*IMPATIENT, fault=("condemning", "before", 1, "PAUSE"))
        collection.wait_until(collection.frozen, "being paused before it condemns")

    collection.signal(signal.SIGCONT)

    assert partition_that_held_up(collection) in range(PARTITIONS)
    assert (stored(deployment), condemnations(deployment)) == (before, [])
    with projected(deployment.environment):
        check_finished(deployment, purged=0)


def test_partitions_of_a_projector_that_is_suspended_hold_up_what_all_others_have_condemned(
    deployment: Deployment,
) -> None:
    projectors = [deployment.projector(session_s=LONG_SESSION_S).joined()]
    prune(deployment)
    before = stored(deployment)
    projectors.append(deployment.projector(session_s=LONG_SESSION_S).joined())
    shares = shares_of(projectors)
    with opened(deployment) as stores:
        own = stores.log.partition_of(collection_key(COLLECTION))
    (suspended,) = [one for one, share in zip(projectors, shares, strict=True) if own not in share]
    (held,) = [share for share in shares if own not in share]

    suspended.signal(signal.SIGSTOP)
    held_up_by = partition_that_held_up(deployment.command(*IMPATIENT))

    assert held_up_by in held
    assert stored(deployment) == before
    assert condemnations(deployment) == [PARTITIONS - len(held)]
    suspended.signal(signal.SIGCONT)
    check_finished(deployment, purged=0)
    with opened(deployment) as stores:
        check_replay(stores)


def shares_of(projectors: list[ProjectorProcess]) -> list[set[int]]:
    """Which partitions each has, once all are shared out."""

    def shares() -> list[set[int]]:
        return [set(map(int, one.health()[1]["partitions"])) for one in projectors]

    projectors[-1].wait_until(
        lambda: all(shares()) and sorted(p for share in shares() for p in share) == list(range(PARTITIONS)),
        "a share of the partitions",
        within_s=CATCH_UP_S,
    )
    return shares()
