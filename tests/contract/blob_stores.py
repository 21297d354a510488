"""Every adapter of the blob store: how to make a fresh store, open it from any process, and look past the adapter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import BlobStore, Staged
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import file_name, pack_name

from tests.support import buckets

WAIT_S = 60.0
PROJECT = "vision/digits"


@dataclass(frozen=True)
class StorePlace:
    """Where a store is. Can be sent to another process, which opens it there."""

    adapter: str
    where: str

    @property
    def stages_apart(self) -> bool:
        """Whether what is staged is no object yet; else it is one, under `Staged.name`."""
        return _ADAPTERS[self.adapter].stages_apart

    def open(self) -> BlobStore:
        return _ADAPTERS[self.adapter].open(self.where)

    def raw(self, name: str) -> bytes:
        """An object's bytes, read without the adapter."""
        return _ADAPTERS[self.adapter].raw(self.where, name)

    def remove(self) -> None:
        """Leave nothing of it outside of the test's own folder."""
        _ADAPTERS[self.adapter].remove(self.where)

    def damage(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change an object's bytes behind the adapter's back."""
        _ADAPTERS[self.adapter].write(self.where, name, change(self.raw(name)))


@dataclass(frozen=True)
class _Adapter:
    stages_apart: bool
    place: Callable[[Path], str]  # from a fresh folder of the test's
    open: Callable[[str], BlobStore]
    raw: Callable[[str, str], bytes]
    write: Callable[[str, str, bytes], None]
    remove: Callable[[str], None]


def _file_of(where: str, name: str) -> Path:
    (path,) = Path(where, "objects", *name.split("/")[:-1]).glob("*/" + name.split("/")[-1])
    return path


def _write_file(where: str, name: str, content: bytes) -> None:
    path = _file_of(where, name)
    path.chmod(0o600)
    path.write_bytes(content)


_ADAPTERS = {
    "folder": _Adapter(
        stages_apart=True,
        place=str,
        open=lambda where: FolderBlobStore.open(Path(where)),
        raw=lambda where, name: _file_of(where, name).read_bytes(),
        write=_write_file,
        remove=lambda where: None,
    ),
    "s3": _Adapter(
        stages_apart=False,
        place=lambda _: buckets.to_text(buckets.fresh()),
        open=lambda where: buckets.open_store(buckets.settings_from_text(where)),
        raw=lambda where, name: buckets.raw(buckets.settings_from_text(where), name),
        write=lambda where, name, content: buckets.write(buckets.settings_from_text(where), name, content),
        remove=lambda where: buckets.remove(buckets.settings_from_text(where)),
    ),
}


@pytest.fixture(params=list(_ADAPTERS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorePlace]:
    place = StorePlace(request.param, _ADAPTERS[request.param].place(tmp_path / "blobs"))
    yield place
    place.remove()


@pytest.fixture
def store(place: StorePlace) -> Iterator[BlobStore]:
    store = place.open()
    yield store
    store.close()


def digest_of(content: bytes, algorithm: str = digests.XXH3) -> bytes:
    return digests.pack(algorithm, digests.one_shot(algorithm)(content))


def unbuffered(path: Path) -> BinaryIO:
    return cast("BinaryIO", open(path, "rb", buffering=0))


def stage(store: BlobStore, path: Path, content: bytes, algorithm: str = digests.XXH3) -> Staged:
    path.write_bytes(content)
    with unbuffered(path) as source:
        return store.stage_file(source, algorithm, project=PROJECT)


def put_pack(store: BlobStore, *contents: bytes) -> list[tuple[BlobLocation, bytes]]:
    """Publish a pack; the place and digest of each of its contents."""
    staged, name = store.stage_pack(contents, project=PROJECT), pack_name(PROJECT)
    store.publish(staged, name)
    store.discard(staged)
    offsets = [sum(map(len, contents[:i])) for i in range(len(contents))]
    return [(BlobLocation(name, at, len(c)), digest_of(c)) for at, c in zip(offsets, contents, strict=True)]


def put_file(store: BlobStore, path: Path, content: bytes) -> tuple[BlobLocation, bytes]:
    staged = stage(store, path, content)
    assert staged.digest is not None
    name = file_name(PROJECT, staged.digest)
    store.publish(staged, name)
    store.discard(staged)
    return BlobLocation(name, 0, staged.size), staged.digest


def streamed(store: BlobStore, place: BlobLocation, digest: bytes) -> bytes:
    return b"".join(map(bytes, store.stream(place, digest)))


READERS: dict[str, Callable[[BlobStore, BlobLocation, bytes], bytes]] = {
    "read": lambda store, place, digest: store.read(place, digest),
    "read_many": lambda store, place, digest: store.read_many([(place, digest)])[0],
    "stream": streamed,
}


each_reader = pytest.mark.parametrize("reader", list(READERS))
