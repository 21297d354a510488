"""A blob store in a folder of the test's, and short words for what tests do with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import Staged
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import pack_name

PROJECT = "vision/digits"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderBlobStore]:
    store = FolderBlobStore.open(tmp_path / "blobs")
    yield store
    store.close()


def digest_of(content: bytes) -> bytes:
    return digests.pack(digests.XXH3, digests.one_shot(digests.XXH3)(content))


def stage(store: FolderBlobStore, path: Path, content: bytes) -> Staged:
    path.write_bytes(content)
    with cast("BinaryIO", open(path, "rb", buffering=0)) as source:
        return store.stage_file(source, digests.XXH3, project=PROJECT)


def put(store: FolderBlobStore, content: bytes) -> tuple[BlobLocation, bytes]:
    staged, name = store.stage_pack([content], project=PROJECT), pack_name(PROJECT)
    store.publish(staged, name)
    store.discard(staged)
    return BlobLocation(name, 0, len(content)), digest_of(content)


def everything_in(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
