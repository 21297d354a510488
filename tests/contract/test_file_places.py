"""Whole files under paths of their own: in a folder, and under a prefix of a bucket."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_blobs.file_places import FilePlace, FolderPlace
from headwater_blobs.s3.file_place import BucketPlace
from headwater_blobs.s3.store import S3BlobStore
from headwater_schemas.errors import StoreMissing, StoreReadOnly, StoreUnavailable

from tests.support import buckets
from tests.support.modes import EMBEDDED

Opener = Callable[[str], FilePlace]
LARGE = bytes(range(256)) * 40_000  # more than a part of an upload


@pytest.fixture
def at(mode: str, tmp_path: Path) -> Iterator[Opener]:
    """Opens places: in one folder, or under prefixes of one bucket."""
    if mode == EMBEDDED:
        yield lambda prefix: FolderPlace(tmp_path / "with space" / prefix)
        return
    settings = buckets.fresh()
    S3BlobStore.open(settings, create=True).close()
    yield lambda prefix: BucketPlace.open(settings, prefix)
    buckets.remove(settings)


def test_what_was_put_is_there_for_everybody(at: Opener) -> None:
    with closing(at("here")) as place, closing(at("here")) as another:
        for content in (b"", b"small", LARGE):
            place.put("a/b.json", content)
            assert another.get("a/b.json") == content
        assert place.get("a") is None
        assert place.get("a/b.json/c") is None
        assert place.get("a/c.json") is None


def test_paths_are_listed_in_order_and_by_folder(at: Opener) -> None:
    with closing(at("here")) as place, closing(at("here-too")) as neighbour:
        neighbour.put("x", b"")
        for path in ("b/2", "a", "b/1", "b-c", "b.d/3", "b/10/x"):
            place.put(path, b"")

        assert list(place.paths()) == ["a", "b-c", "b.d/3", "b/1", "b/10/x", "b/2"]
        assert list(place.paths("b/")) == ["b/1", "b/10/x", "b/2"]
        assert list(place.paths("c/")) == []


def test_a_place_says_where_it_is(at: Opener, mode: str) -> None:
    url = at("some/where").url

    assert url.endswith("/some/where")
    assert url.startswith("file:///" if mode == EMBEDDED else "s3://test-")
    assert " " not in url


def test_what_a_killed_process_left_is_deleted_later_and_nothing_else(tmp_path: Path) -> None:
    place, left = FolderPlace(tmp_path), tmp_path / "a" / f".b.avro-{'0' * 32}"
    for path in ("a/b.avro", "a/.mine", f"a/b.avro-{'0' * 32}"):
        place.put(path, b"kept")
    left.write_bytes(b"half")
    kept = sorted(path for path in tmp_path.rglob("*") if path != left)

    place.reclaim(idle_s=3600)
    assert left.exists(), "its writer may live"
    os.utime(left, (0, 0))
    place.reclaim(idle_s=3600)

    assert sorted(tmp_path.rglob("*")) == kept


def test_a_bucket_that_does_not_exist_is_named() -> None:
    settings = buckets.fresh()

    with pytest.raises(StoreMissing, match=rf"there is no bucket '{settings.bucket}' at .* Create it"):
        BucketPlace.open(settings, "x")


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreUnavailable, match=r"file.* failed: Not a directory"):
        FolderPlace(tmp_path / "file").put("a", b"")


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("headwater_blobs.file_places.write_atomically", refuse)

    with pytest.raises(StoreReadOnly, match=r"a: Permission denied\. Check who may use"):
        FolderPlace(tmp_path).put("a", b"")
