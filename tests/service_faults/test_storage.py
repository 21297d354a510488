"""PostgreSQL and MinIO are ended in the middle of things, and bytes go bad."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_stores.servers import open_servers

from services.postgres import Postgres
from tests.service_faults.deployment import NAMESPACE, PARTITIONS, Deployment, OwnServers, deployed
from tests.service_faults.verification import acknowledged, errors, verify
from tests.simulation.replaying import dump
from tests.support import buckets
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.projector_host import projected
from tests.support.servers import own_minio, own_postgres

pytestmark = pytest.mark.slow

COMMITS = 30
LARGE_BYTES = 20_000_000  # three parts of an upload
AWAY_S = 1.0
GONE_S = 20.0


def immediately(postgres: Postgres) -> None:
    """What PostgreSQL calls immediate shutdown: it leaves everything as it is."""
    assert postgres.process is not None
    postgres.process.signal(signal.SIGQUIT)
    assert postgres.process.ends_within(GONE_S)
    postgres.stop()


@pytest.mark.parametrize("end", [Postgres.kill, immediately], ids=["killed", "stopped immediately"])
def test_a_database_that_dies_in_the_middle_of_a_batch_has_all_of_it_or_nothing_and_its_writers_just_wait(
    tmp_path: Path, end: Callable[[Postgres], None]
) -> None:
    with (
        own_postgres(tmp_path / "postgres") as postgres,
        deployed(tmp_path, OwnServers(postgres=postgres)) as deployment,
    ):
        projector = deployment.projector(fault=("writing the projection", "after", 4, "FREEZE")).joined()
        writer = deployment.writer("data", COMMITS)
        projector.wait_until(projector.frozen, "freezing in a transaction")
        time.sleep(AWAY_S)  # the writer waits for what is in it by then

        end(postgres)
        projector.signal(signal.SIGCONT)
        time.sleep(AWAY_S)
        postgres.start()
        writer.succeeded()

        assert verify(deployment, acknowledged(writer)).count("data") == COMMITS
        assert errors(writer) == []
        assert projector.alive


def test_what_a_killed_database_forgets_comes_again_as_readers_and_subscribers_saw_it(tmp_path: Path) -> None:
    # Commits reach the disk only with a checkpoint, or after ten seconds.
    with own_postgres(tmp_path / "postgres", settings={"wal_writer_delay": "10s"}) as postgres:
        log = MemoryLog(PARTITIONS)
        with closing(Database.open_postgresql(postgres.url(), schema="forgetful")) as database:
            history = History(log, database)
            for n in range(COMMITS):
                history.commit(f"{NAMESPACE}/{n % 7}", {"a": b"%d" % n})
            with closing(database.adapter.connect()) as connection:
                connection.driver.execute("CHECKPOINT")
            for n in range(COMMITS):
                history.commit(f"{NAMESPACE}/{n % 7}", {"b": b"%d" % n})
            seen = dump(database)

            postgres.kill()
            postgres.start()
            remembered = dump(database)
            history.project()

            assert len(remembered["versions"]) < len(seen["versions"]), "or this tests nothing"
            assert all(remembered[table] <= seen[table] for table in ("versions", "version_events", "entries"))
            assert dump(database) == seen


def test_writers_outlast_a_store_of_bytes_that_is_away_for_seconds(tmp_path: Path) -> None:
    with (
        own_minio(tmp_path / "minio") as minio,
        deployed(tmp_path, OwnServers(minio=minio)) as deployment,
        projected(deployment.environment),
    ):
        writer = deployment.writer("data", COMMITS)
        writer.wait_until(lambda: len(acknowledged(writer)) > 2, "committing")

        minio.stop()
        time.sleep(AWAY_S)
        minio.start()
        writer.succeeded()

        assert verify(deployment, acknowledged(writer)).count("data") == COMMITS
        assert errors(writer) == []


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_upload_that_is_cut_off_with_its_store_is_an_error_and_the_same_script_succeeds_afterwards(
    tmp_path: Path, end: str
) -> None:
    with (
        own_minio(tmp_path / "minio") as minio,
        deployed(tmp_path, OwnServers(minio=minio)) as deployment,
        projected(deployment.environment),
    ):
        before = deployment.writer("model", 1, "--large", LARGE_BYTES)
        before.succeeded()
        more = ("--start", 1, "--large", LARGE_BYTES, "--tries", 1)
        writer = deployment.writer("model", 1, *more, fault=("sending a part", "before", 2, "FREEZE"))
        writer.wait_until(writer.frozen, "freezing in an upload")

        getattr(minio, end)()
        writer.signal(signal.SIGCONT)
        assert writer.exit_code() != 0
        assert minio.endpoint.partition("//")[2] in writer.stderr_text() + str(errors(writer))
        minio.start()
        again = deployment.writer("model", 2, "--large", LARGE_BYTES)
        again.succeeded()

        assert verify(deployment, acknowledged(before, writer, again)).count("model") == 2


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as deployment, projected(deployment.environment):
        yield deployment


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_an_object_that_went_bad_is_an_error_that_names_it_and_all_others_can_be_read(
    deployment: Deployment, damage: str
) -> None:
    writer = deployment.writer("model", 1, "--large", LARGE_BYTES)
    writer.succeeded()
    (name,) = [name for name in names(deployment) if name.startswith("files/")]
    whole = buckets.raw(deployment.s3, name)
    buckets.write(deployment.s3, name, damaged(whole, damage))

    reader = deployment.run("tests.service_faults.reader", "model:v0", "large.bin", "who.txt")
    reader.succeeded()

    refused, read = reader.lines()
    assert refused["error"] == "BlobCorrupt"
    assert name in refused["text"]
    assert read == {"path": "who.txt", "bytes": len("writer 0")}


def names(deployment: Deployment) -> list[str]:
    with closing(open_servers(deployment.profile, create=False)) as stores:
        return [stored.name for stored in stores.blobs.list_objects()]


def damaged(content: bytes, damage: str) -> bytes:
    if damage == "truncated":
        return content[: len(content) // 2]
    at = random.Random(7).randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
