"""The drills of docs/storage.md: the broker's disks, the database or both are lost in the middle of writing.

The log was trimmed before, so that its beginning is in the archive alone.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from headwater_blobs.s3.file_place import BucketPlace
from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.survivors import projected_offsets
from headwater_eventlog.kafka import KafkaEventLog
from headwater_schemas.archive_files import OWN_PREFIX
from headwater_stores.servers import open_database

from services.processes import Server
from tests.service_faults.deployment import NAMESPACE, Deployment, OwnServers, deployed
from tests.service_faults.processes import LoggedProcess
from tests.service_faults.test_brokers import COMMITS_MAX
from tests.service_faults.verification import Ack, acknowledged, opened, verify
from tests.support.servers import own_kafka, own_postgres

pytestmark = pytest.mark.slow

WRITERS = 2
BEFORE, AFTER = 4, 3  # commits of each writer that are acknowledged on either side of a step
TRIM = ("archive", "--trim", "--keep", "0s", "--json")


def lose(server: Server) -> None:
    """Its disk, too: it comes back empty, at the same address."""
    server.kill()
    shutil.rmtree(server.folder)
    server.start()


class Writing:
    """Writers that write until they are ended, and are told of errors in any number."""

    def __init__(self, deployment: Deployment, start: int = 0) -> None:
        self._over = deployment.folder / f"over-{start}"
        more = ("--start", start, "--until", self._over)
        self.all = [deployment.writer(f"data-{n}", COMMITS_MAX, "--who", f"w{n}", *more) for n in range(WRITERS)]

    def go_on(self, commits: int) -> None:
        """Wait until each has so many more acknowledged than now."""
        wanted = {id(writer): len(acknowledged(writer)) + commits for writer in self.all}
        for writer in self.all:
            writer.wait_until(
                lambda writer=writer: len(acknowledged(writer)) >= wanted[id(writer)],  # type: ignore[misc]
                f"{commits} more commits",
            )

    def acknowledged(self) -> list[Ack]:
        return acknowledged(*self.all)

    def end(self) -> list[Ack]:
        self._over.touch()
        for writer in self.all:
            writer.succeeded()
        return self.acknowledged()


def asked(deployment: Deployment, *arguments: str) -> Any:
    """What a command answers to programs."""
    command = deployment.command(*arguments)
    command.succeeded()
    return json.loads(command.out.read_text())


def restored(deployment: Deployment) -> Any:
    return asked(deployment, "restore-log", f"s3://{deployment.s3.bucket}/{OWN_PREFIX}", "--json")


def kill(*processes: LoggedProcess) -> None:
    for process in processes:
        process.kill()


def committed(follower: LoggedProcess) -> set[tuple[str, str]]:
    """What a subscriber was told: artifacts and versions."""
    return {(event["subject"].rpartition("/")[2], event["data"]["version"]) for event in follower.lines()}


def test_a_lost_database_is_rebuilt_from_archive_and_log_while_writers_write(tmp_path: Path) -> None:
    with (
        own_postgres(tmp_path / "postgres") as postgres,
        deployed(tmp_path, OwnServers(postgres=postgres)) as deployment,
    ):
        deployment.projector().joined()
        writing = Writing(deployment)
        writing.go_on(BEFORE)
        assert asked(deployment, *TRIM)["trimmed"] > 0
        writing.go_on(1)

        lose(postgres)
        deployment.projector()

        writing.go_on(AFTER)
        verify(deployment, writing.end())


def test_lost_disks_of_the_broker_are_restored_from_the_archive_and_the_survivor_names_what_is_missing(
    tmp_path: Path,
) -> None:
    with own_kafka(tmp_path / "kafka") as kafka, deployed(tmp_path, OwnServers(kafka=kafka.address)) as deployment:
        projector = deployment.projector().joined()
        writing = Writing(deployment)
        writing.go_on(BEFORE)
        follow = ("events", NAMESPACE, "--follow", "--name", "follower", "--kind", "version-committed")
        follower = deployment.command(*follow, "--after", "start")
        certain = writing.acknowledged()
        archived = asked(deployment, *TRIM)
        assert archived["trimmed"] > 0
        writing.go_on(AFTER)
        follower.wait_until(lambda: len(follower.lines()) > len(certain), "following")

        kill(*writing.all, projector, follower)
        lose(kafka)
        with expected_missing(deployment, archived["log"]) as missing:
            report = restored(deployment)
        assert report["missing"] == missing != []
        assert report["replay"] is True
        asked(deployment, "replay", "--replace", "--json")
        deployment.projector().joined()

        again = Writing(deployment, start=1000)
        follower_again = deployment.command(*follow)
        again.go_on(AFTER)
        new = again.end()
        seen = verify(deployment, [*certain, *new])
        expected = {(ack.name, f"v{ack.version}") for ack in new}
        follower_again.wait_until(lambda: committed(follower_again) >= expected, "following again")
        assert {ack.digest for ack in writing.acknowledged()} > set().union(*seen.versions.values()) - {
            ack.digest for ack in new
        }, "or nothing was lost"


@contextmanager
def expected_missing(deployment: Deployment, generation: str) -> Iterator[list[Mapping[str, int]]]:
    """What the database knows and the archive lacks, as whoever looks at both finds it."""
    with closing(BucketPlace.open(deployment.s3, OWN_PREFIX)) as place:
        archived: dict[int, int] = {}
        for name in Archive.open(place, create=False).names(generation):
            archived[name.partition] = max(name.last, archived.get(name.partition, -1))
    with closing(open_database(deployment.profile, create=False)) as database:
        projected = projected_offsets(database, generation)
    yield [
        {"partition": partition, "archived": archived.get(partition, -1), "projected": offset}
        for partition, offset in projected.items()
        if offset > archived.get(partition, -1)
    ]


def test_with_broker_and_database_lost_the_archive_alone_gives_what_it_had(tmp_path: Path) -> None:
    with (
        own_kafka(tmp_path / "kafka") as kafka,
        own_postgres(tmp_path / "postgres") as postgres,
        deployed(tmp_path, OwnServers(kafka=kafka.address, postgres=postgres)) as deployment,
    ):
        projector = deployment.projector().joined()
        before = deployment.writer("data-0", BEFORE, "--who", "w0")
        before.succeeded()
        assert asked(deployment, *TRIM)["trimmed"] > 0
        fingerprint = asked(deployment, "replay", "--json")["new"]
        writing = Writing(deployment, start=1000)
        writing.go_on(AFTER)

        kill(*writing.all, projector)
        lose(kafka)
        lose(postgres)
        report = restored(deployment)
        assert (report["missing"], report["replay"]) == ([], False)
        deployment.projector().joined()

        with opened(deployment):
            pass  # it is caught up with
        replayed = asked(deployment, "replay", "--json")
        assert (replayed["new"], replayed["same"]) == (fingerprint, True)
        again = Writing(deployment, start=2000)
        again.go_on(AFTER)
        verify(deployment, [*acknowledged(before), *again.end()])


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_trim_that_is_killed_is_followed_by_one_that_goes_on(moment: str, tmp_path: Path) -> None:
    with deployed(tmp_path) as deployment:
        deployment.projector().joined()
        writer = deployment.writer("data", BEFORE)
        writer.succeeded()

        killed = deployment.command(*TRIM, fault=("trimming", moment, 1, "KILL"))
        killed.was_killed()
        trimmed = asked(deployment, *TRIM)

        assert trimmed["records"] == 0
        assert trimmed["trimmed"] > 0
        with opened(deployment) as stores:
            assert isinstance(stores.log, KafkaEventLog)
            assert stores.log.beginnings() == {p: max(0, end) for p, end in stores.log.ends().items()}
        verify(deployment, acknowledged(writer))
