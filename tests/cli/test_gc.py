"""`headwater gc`, and who speaks of it."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from headwater._commit.client import client_for
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import BlobStore
from headwater_blobs.s3 import multipart
from headwater_blobs.s3.store import S3BlobStore
from headwater_schemas.object_names import pack_name
from headwater_stores.config.settings import read_settings

from tests.cli.commands import ask, headwater, refused

SIZE = 1000
LARGE = 2_000_000  # an object of its own
HOUR_S = 3600.0
ZERO = {"objects": 0, "bytes": 0}
NOTHING: dict[str, Any] = {
    "dry_run": False,
    "deleted": 0,
    "bytes_freed": 0,
    "recent": 0,
    "recent_bytes": 0,
    "purged": 0,
    "kinds": dict.fromkeys(("deleted_versions", "rewritten_packs", "unnamed_objects", "staged"), ZERO),
    "collections": {},
    "restorable": [],
    "unfinished": 0,
    "not_freed": 0,
    "packs_left": 0,
}


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


@pytest.mark.on_stores
def test_what_was_left_is_reclaimed_once_the_grace_period_is_over(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(blobs, 2)
    assert ask("gc") == NOTHING | {"recent": 2, "recent_bytes": 2 * SIZE}

    hours_later(monkeypatch, 25)
    told = ask("gc", "--dry-run")
    kinds = NOTHING["kinds"] | {"staged": {"objects": 2, "bytes": 2 * SIZE}}
    assert told == NOTHING | {"dry_run": True, "deleted": 2, "bytes_freed": 2 * SIZE, "kinds": kinds}
    assert ask("gc", "--dry-run", "--grace", "2d")["deleted"] == 0
    assert ask("gc") == told | {"dry_run": False}

    assert list(blobs.abandoned()) == []
    assert ask("gc")["deleted"] == 0
    headwater("get", "pets", "out")


@pytest.mark.on_stores
def test_people_are_told_how_much(blobs: BlobStore) -> None:
    leave(blobs)

    assert headwater("gc", "--dry-run").splitlines() == [
        "nothing to reclaim",
        "kept 1.0 kB of staged content in 1 file, which is more recent than --grace",
    ]
    assert headwater("gc", "--grace", "0s") == "reclaimed 1.0 kB of staged content in 1 file\n"


@pytest.mark.on_stores
def test_a_store_that_is_not_there_is_told_from_one_that_needs_no_collection(images: Path, tmp_path: Path) -> None:
    """So that a wrong URL is noticed; it is no error, as for whoever lists what is there."""
    elsewhere = tmp_path / "elsewhere"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_URL", str(elsewhere))
        assert headwater("gc").startswith(f"nothing to reclaim; there is no headwater store at {elsewhere}")

    headwater("log", str(images), "-n", "pets")
    assert headwater("gc") == "nothing to reclaim\n"
    assert not elsewhere.exists()


@pytest.mark.on_stores
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


@pytest.mark.on_stores
def test_the_content_of_deleted_versions_is_freed_once_they_cannot_be_restored(images: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(LARGE))
    headwater("log", str(images), "-n", "pets")
    headwater("log", str(large), "-n", "large")
    large.write_bytes(b"1" * LARGE)
    headwater("log", str(large), "-n", "large")
    preview = ask("rm", "large:v0", "--dry-run")
    headwater("rm", "large:v0")

    (later,) = ask("gc")["restorable"]
    assert (later["project"], later["versions"], later["bytes"]) == ("team/animals", 1, preview["bytes_freed"])
    assert later["from"][:10] == (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    assert "1 version of team/animals deleted less than 30 days ago: 2.0 MB from 20" in headwater("gc")
    headwater("project", "--restore-days", "0")
    told = ask("gc", "--dry-run")
    assert "`headwater restore team/animals/large:v0` brings it back" in refused("show", "large:v0", code=3)

    assert ask("gc") == told | {"dry_run": False}

    freed = {"objects": 1, "bytes": LARGE}
    assert (told["purged"], told["bytes_freed"], preview["bytes_freed"]) == (1, LARGE, LARGE)
    assert told["collections"] == {"team/animals/large": freed}
    assert told["kinds"]["deleted_versions"] == freed
    assert ask("gc") == NOTHING
    assert "was deleted and purged" in refused("show", "large:v0", code=3)
    assert ask("usage", "large:v0")["state"] == "purged"
    assert "too late" in refused("restore", "large:v0")
    assert {one["state"] for one in ask("doctor", "--verify") if one["check"] == "stored content"} == {"ok"}
    headwater("get", "large", "out")
    headwater("get", "pets", "pets")


@pytest.mark.on_stores
def test_what_nothing_names_is_freed_after_the_grace_period(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = blobs.stage_pack([bytes(SIZE)], project="team/animals")
    blobs.publish(staged, staged.name or pack_name("team/animals"))
    if staged.name is None:
        blobs.discard(staged)

    assert ask("gc") == NOTHING | {"recent": 1, "recent_bytes": SIZE}
    hours_later(monkeypatch, 25)

    freed = {"objects": 1, "bytes": SIZE}
    assert ask("gc")["kinds"] == NOTHING["kinds"] | {"unnamed_objects": freed}
    assert ask("gc") == NOTHING


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("grace", ["", "soon", "-1h", "1", "1.5h"])
def test_a_grace_period_that_is_none_is_refused(grace: str) -> None:
    assert "is not a duration" in refused("gc", "--grace", grace, code=2)
