"""What `BlobStore.delete` promises of bytes: they are freed, or whose are not is said.

A bucket that keeps versions is tried in every way: since it was made, switched on later, and suspended again.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import BlobStore
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_blobs.s3.uploads import PART_BYTES
from headwater_schemas.errors import NotFreed
from headwater_schemas.object_names import pack_name
from minio import Minio
from minio.commonconfig import ENABLED, GOVERNANCE
from minio.retention import Retention
from minio.versioningconfig import SUSPENDED, VersioningConfig

from tests.contract.blob_stores import PROJECT, put_file, put_pack
from tests.s3.conftest import settings as settings
from tests.support import buckets
from tests.support.disks import read_only

CONTENTS = 3


@dataclass(frozen=True)
class Kept:
    """A store that may keep bytes, and a way past the adapter."""

    store: BlobStore
    held: Callable[[], int]  # objects, their versions and markers
    protect: Callable[[str], AbstractContextManager[None]]  # an object, against deletion


@contextmanager
def in_folder(folder: Path) -> Iterator[Kept]:
    store = FolderBlobStore.open(folder / "blobs")

    @contextmanager
    def protect(name: str) -> Iterator[None]:
        """The folder of the object, where nothing can be written."""
        (path,) = Path(store.folder).rglob(name.rpartition("/")[2])
        aside = folder / "aside"
        path.parent.rename(aside)
        with read_only(aside) as view:
            path.parent.symlink_to(view)
            yield
        path.parent.unlink()
        aside.rename(path.parent)

    yield Kept(store, lambda: sum(path.is_file() for path in Path(store.folder, "objects").rglob("*")), protect)
    store.close()


@contextmanager
def in_bucket(settings: S3Settings, *, locked: bool = False) -> Iterator[Kept]:
    client = buckets.client_of(settings)
    if locked:
        client.make_bucket(settings.bucket, object_lock=True)
    store = buckets.open_store(settings)

    @contextmanager
    def protect(name: str) -> Iterator[None]:
        until = datetime.now(UTC) + timedelta(days=1)
        client.set_object_retention(settings.bucket, name, Retention(GOVERNANCE, until))
        yield

    yield Kept(store, lambda: len(list(buckets.versions_in(settings))), protect)
    store.close()
    buckets.remove(settings)


@pytest.fixture(params=["folder", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    made = in_folder(tmp_path) if request.param == "folder" else in_bucket(buckets.fresh(), locked=True)
    with made as kept:
        yield kept


def names_of(kept: Kept, path: Path) -> list[str]:
    packs = [put_pack(kept.store, b"%d" % i)[0][0].object_name for i in range(CONTENTS)]
    return [*packs, put_file(kept.store, path / "source", b"large")[0].object_name]


def test_what_is_deleted_leaves_no_bytes(kept: Kept, tmp_path: Path) -> None:
    names = names_of(kept, tmp_path)

    kept.store.delete([*names, pack_name(PROJECT)])

    assert kept.held() == 0


def test_an_object_that_is_protected_is_named_and_the_others_are_deleted(kept: Kept, tmp_path: Path) -> None:
    names = names_of(kept, tmp_path)

    with kept.protect(names[1]):
        with pytest.raises(NotFreed, match=r"1 objects in .* could not be deleted.*Their bytes stay") as error:
            kept.store.delete(names)

        assert error.value.names == {names[1]}
        assert [one.name for one in kept.store.list_objects()] == [names[1]]


@pytest.fixture
def client(settings: S3Settings) -> Minio:
    return buckets.client_of(settings)


def keep_versions(client: Minio, settings: S3Settings, status: str = ENABLED) -> None:
    client.set_bucket_versioning(settings.bucket, VersioningConfig(status))


def test_old_versions_and_markers_are_deleted_where_versions_were_once_kept(
    settings: S3Settings, client: Minio
) -> None:
    first = buckets.open_store(settings)
    names = [put_pack(first, b"%d" % i)[0][0].object_name for i in range(CONTENTS)]
    other = put_pack(first, b"other")[0][0].object_name
    keep_versions(client, settings)
    for name in names[:2]:
        buckets.write(settings, name, b"another version")
    client.remove_object(settings.bucket, names[0])  # leaves a marker
    keep_versions(client, settings, SUSPENDED)
    store = buckets.open_store(settings)

    store.delete(names)

    assert [(one.object_name, one.version_id) for one in buckets.versions_in(settings)] == [(other, "null")]


def test_versions_that_are_kept_from_now_on_are_noticed(settings: S3Settings, client: Minio) -> None:
    store = buckets.open_store(settings)
    first, second = (put_pack(store, content)[0][0].object_name for content in (b"first", b"second"))
    store.delete([first])
    keep_versions(client, settings)

    store.delete([second])

    assert list(buckets.versions_in(settings)) == []


def test_without_versions_a_thousand_objects_cost_one_request(
    settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = buckets.open_store(settings)
    names = [put_pack(store, b"%d" % i)[0][0].object_name for i in range(CONTENTS)]
    store.delete(names[:1])

    with buckets.counted(monkeypatch) as requests:
        store.delete([*names, *(pack_name(PROJECT) for _ in range(1000 - CONTENTS))])

    assert requests == ["POST"]


NO_VERSIONS = ("s3:DeleteObjectVersion", "s3:ListBucketVersions", "s3:GetBucketVersioning")
NO_LIST = ("s3:ListBucket", "s3:ListBucketVersions")  # to MinIO, who has the first has the second


@pytest.mark.parametrize("denied", [NO_VERSIONS[:1], NO_LIST, NO_VERSIONS], ids=["delete", "list", "all"])
def test_keys_that_may_not_delete_versions_are_told_which_right_they_need(
    settings: S3Settings, client: Minio, denied: tuple[str, ...]
) -> None:
    store = buckets.open_store(settings)
    keep_versions(client, settings)
    name = put_pack(store, b"content")[0][0].object_name
    limited = S3BlobStore(buckets.with_rights(settings, denied=denied), read_only=False, part_bytes=PART_BYTES)

    with pytest.raises(NotFreed, match="s3:DeleteObjectVersion and s3:ListBucketVersions") as error:
        limited.delete([name])

    assert error.value.names == {name}
    assert name in {one.object_name for one in buckets.versions_in(settings)}


def test_keys_that_may_not_ask_delete_in_a_bucket_without_versions(settings: S3Settings) -> None:
    store = buckets.open_store(settings)
    name = put_pack(store, b"content")[0][0].object_name

    buckets.open_store(buckets.with_rights(settings, denied=NO_VERSIONS)).delete([name])

    assert list(store.list_objects()) == []


def test_objects_of_another_installation_are_not_among_those_that_are_deleted(settings: S3Settings) -> None:
    ours = buckets.open_store(replace(settings, prefix="ours"))
    theirs = buckets.open_store(settings)
    name = put_pack(ours, b"content")[0][0].object_name

    theirs.delete([name])

    assert [one.name for one in ours.list_objects()] == [name]
