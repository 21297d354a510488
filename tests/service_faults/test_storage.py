"""PostgreSQL and MinIO are ended in the middle of things, and bytes go bad."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater._stores.servers import open_servers

from services.postgres import Postgres
from tests.service_faults.judging import acknowledged, errors, judge
from tests.service_faults.stage import Place, Stage, on_stage
from tests.support import buckets
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
        on_stage(tmp_path, Place(postgres=postgres)) as stage,
    ):
        projector = stage.projector(fault=("writing the projection", "after", 4, "FREEZE")).working()
        writer = stage.writer("data", COMMITS)
        projector.until(projector.frozen, "freezing in a transaction")
        time.sleep(AWAY_S)  # the writer waits for what is in it by then

        end(postgres)
        projector.signal(signal.SIGCONT)
        time.sleep(AWAY_S)
        postgres.start()
        writer.ended_well()

        assert judge(stage, acknowledged(writer)).count("data") == COMMITS
        assert errors(writer) == []
        assert projector.alive


def test_writers_outlast_a_store_of_bytes_that_is_away_for_seconds(tmp_path: Path) -> None:
    with (
        own_minio(tmp_path / "minio") as minio,
        on_stage(tmp_path, Place(minio=minio)) as stage,
        projected(stage.environment),
    ):
        writer = stage.writer("data", COMMITS)
        writer.until(lambda: len(acknowledged(writer)) > 2, "committing")

        minio.stop()
        time.sleep(AWAY_S)
        minio.start()
        writer.ended_well()

        assert judge(stage, acknowledged(writer)).count("data") == COMMITS
        assert errors(writer) == []


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_upload_that_is_cut_off_with_its_store_is_an_error_and_the_same_script_succeeds_afterwards(
    tmp_path: Path, end: str
) -> None:
    with (
        own_minio(tmp_path / "minio") as minio,
        on_stage(tmp_path, Place(minio=minio)) as stage,
        projected(stage.environment),
    ):
        before = stage.writer("model", 1, "--large", LARGE_BYTES)
        before.ended_well()
        more = ("--start", 1, "--large", LARGE_BYTES, "--tries", 1)
        writer = stage.writer("model", 1, *more, fault=("sending a part", "before", 2, "FREEZE"))
        writer.until(writer.frozen, "freezing in an upload")

        getattr(minio, end)()
        writer.signal(signal.SIGCONT)
        assert writer.ended() != 0
        assert minio.endpoint.partition("//")[2] in writer.words() + str(errors(writer))
        minio.start()
        again = stage.writer("model", 2, "--large", LARGE_BYTES)
        again.ended_well()

        assert judge(stage, acknowledged(before, writer, again)).count("model") == 2


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as stage, projected(stage.environment):
        yield stage


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_an_object_that_went_bad_is_an_error_that_names_it_and_all_others_can_be_read(
    stage: Stage, damage: str
) -> None:
    writer = stage.writer("model", 1, "--large", LARGE_BYTES)
    writer.ended_well()
    (name,) = [name for name in names(stage) if name.startswith("files/")]
    whole = buckets.raw(stage.s3, name)
    buckets.write(stage.s3, name, damaged(whole, damage))

    reader = stage.run("tests.service_faults.reader", "model:v0", "large.bin", "who.txt")
    reader.ended_well()

    refused, read = reader.lines()
    assert refused["error"] == "BlobCorrupt"
    assert name in refused["text"]
    assert read == {"path": "who.txt", "bytes": len("writer 0")}


def names(stage: Stage) -> list[str]:
    with closing(open_servers(stage.profile, create=False)) as stores:
        return [stored.name for stored in stores.blobs.list_objects()]


def damaged(content: bytes, damage: str) -> bytes:
    if damage == "truncated":
        return content[: len(content) // 2]
    at = random.Random(7).randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
