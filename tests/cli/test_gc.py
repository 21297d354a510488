"""`headwater gc`, and who speaks of it."""

import time
from pathlib import Path

import pytest
from headwater._commit.client import client_for
from headwater._config.settings import read_settings
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import BlobStore
from headwater_blobs.s3 import multipart
from headwater_blobs.s3.store import S3BlobStore
from headwater_schemas.object_names import pack_name

from tests.cli.commands import ask, headwater, refused

SIZE = 1000
HOUR_S = 3600.0


@pytest.fixture
def blobs(images: Path) -> BlobStore:
    headwater("log", str(images), "-n", "pets")
    return client_for(read_settings(), create=False).stores.blobs


def leave(blobs: BlobStore, count: int = 1) -> None:
    """What a writer leaves that is killed while it stages."""
    for _ in range(count):
        if isinstance(blobs, FolderBlobStore):
            writer = FolderBlobStore.open(Path(blobs.folder))
            writer.stage_pack([bytes(SIZE)], project="team/animals")
            writer.close()
        else:
            assert isinstance(blobs, S3BlobStore)
            client, bucket, name = blobs._bucket_client.client, blobs.settings.bucket, pack_name("team/animals")
            multipart.send_part(client, bucket, name, multipart.create(client, bucket, name), 1, bytes(SIZE))


def hours_later(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    now_s = time.time() + hours * HOUR_S
    monkeypatch.setattr(time, "time", lambda: now_s)


def doctors_word() -> str:
    (found,) = [one["detail"] for one in ask("doctor") if one["check"] == "staged content"]
    return str(found)


def test_what_was_left_is_reclaimed_once_the_grace_period_is_over(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(blobs, 2)
    assert ask("gc") == {"dry_run": False, "deleted": 0, "bytes_freed": 0, "recent": 2, "recent_bytes": 2 * SIZE}

    hours_later(monkeypatch, 25)
    told = ask("gc", "--dry-run")
    assert told == {"dry_run": True, "deleted": 2, "bytes_freed": 2 * SIZE, "recent": 0, "recent_bytes": 0}
    assert ask("gc", "--dry-run", "--grace", "2d")["deleted"] == 0
    assert ask("gc") == told | {"dry_run": False}

    assert list(blobs.abandoned()) == []
    assert ask("gc")["deleted"] == 0
    headwater("get", "pets", "out")


def test_people_are_told_how_much(blobs: BlobStore) -> None:
    leave(blobs)

    assert headwater("gc", "--dry-run").splitlines() == [
        "would reclaim 0 B of staged content in 0 files",
        "kept 1.0 kB of staged content in 1 file, which is more recent than --grace",
    ]
    assert headwater("gc", "--grace", "0s") == "reclaimed 1.0 kB of staged content in 1 file\n"


def test_doctor_and_maintain_say_what_would_be_reclaimed(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctors_word() == "none"
    leave(blobs, 2)
    assert doctors_word().startswith("2, 2,000 bytes; in progress, or left by an interrupt or a crash")
    assert "reclaims 0 bytes of it" in doctors_word()
    assert ask("maintain")["reclaimable_bytes"] == 0
    assert "gc" not in headwater("maintain")

    hours_later(monkeypatch, 25)

    assert "`headwater gc` reclaims 2,000 bytes of it" in doctors_word()
    assert "`headwater gc` can reclaim 2.0 kB of staged content in 2 files\n" in headwater("maintain")
    assert ask("maintain")["reclaimable_bytes"] == 2 * SIZE
    assert ask("maintain", "--project", "animals")["reclaimable_bytes"] is None
    assert len(list(blobs.abandoned())) == 2, "telling deletes nothing"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("grace", ["", "soon", "-1h", "1", "1.5h"])
def test_a_grace_period_that_is_none_is_refused(grace: str) -> None:
    assert "is not a duration" in refused("gc", "--grace", grace, code=2)
