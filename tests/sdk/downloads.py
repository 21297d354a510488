"""What tests of downloads share: versions to fetch, ways to fetch them, and a look at what is there afterwards."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any

import headwater
import pytest
from headwater._artifact.artifact import stored_version
from headwater._commit.client import Client, client_for
from headwater._download.checkout import checkout
from headwater._download.download import download
from headwater._download.verify import verify
from headwater_blobs.port import PACKED_FILE_BYTES_MAX, BlobStore
from headwater_schemas.entries import BlobLocation, Reference
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.events import DraftOpened, EntryAdded, VersionCommitted
from headwater_stores.config.settings import read_settings

from tests.support import disks
from tests.support.stores import StoreUnderTest
from tests.support.web import Page, Web

LARGE = PACKED_FILE_BYTES_MAX + 12_345
RECORDED = b"what was recorded" * 1000  # of a reference, unless something else is given


@pytest.fixture(autouse=True)
def quiet_store(store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that prints nothing, and requests that go through no proxy."""
    monkeypatch.setenv("HEADWATER_QUIET", "true")
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder to download into, which does not exist yet."""
    return tmp_path / "root"


def page(web: Web, path: str, content: bytes = RECORDED, etag: str = "abc") -> Reference:
    """A reference to a page of that content."""
    uri = web.put(f"/{path}", Page(content, etag=f'"{etag}"'))
    return Reference(path, uri, f"etag:{etag}", len(content))


def logged(files: Mapping[str, bytes], name: str = "images") -> headwater.Artifact:
    with headwater.init() as run:
        artifact = headwater.Artifact(name, type="dataset")
        for path, content in files.items():
            with artifact.new_file(path, "wb") as file:
                file.write(content)
        return run.log_artifact(artifact)


def referring(*references: Reference, name: str = "references") -> headwater.Artifact:
    """A version of these references alone, as any writer can record them."""
    client = client_for(read_settings(), create=True)
    draft, collection = client.session.producer.new_draft(), f"team/animals/{name}"
    opened = DraftOpened(collection=collection, draft=draft, type="dataset", base=None)
    added = EntryAdded(collection=collection, draft=draft, references=references)
    committed = VersionCommitted(collection=collection, draft=draft)
    client.send([opened, added, committed]).result()
    return headwater.Api().artifact(f"{name}:latest")


def client() -> Client:
    return client_for(read_settings(), create=False)


def layers_of(artifact: headwater.Artifact) -> tuple[int, ...]:
    return stored_version(artifact.wait()).info.layers


def fetch(artifact: headwater.Artifact, root: Path, *, through: Any = None, prefix: str | PurePath = "") -> None:
    """`artifact.download`, with a blob store that does something on the way."""
    stores = client().stores
    blobs: BlobStore = stores.blobs if through is None else through(stores.blobs)
    download(stores.reads, blobs, layers_of(artifact), root, prefix=prefix)


def check_out(artifact: headwater.Artifact, root: Path) -> None:
    stores = client().stores
    checkout(stores.reads, stores.blobs, layers_of(artifact), root)


def check(artifact: headwater.Artifact, root: Path) -> None:
    verify(client().stores.reads, stored_version(artifact.wait()).info, root)


def content_of(root: Path) -> dict[str, bytes]:
    """Everything in `root`, also what is hidden."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def refusal(kind: type[HeadwaterError], act: Callable[[], object]) -> str:
    with pytest.raises(kind) as refused:
        act()
    return str(refused.value)


def put(root: Path, files: Mapping[str, bytes]) -> None:
    """Files of somebody else."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def damage(store: StoreUnderTest, content: bytes) -> None:
    """Change one byte of `content` in whatever object holds it."""
    for name in store.objects():
        held = store.read(name)
        if content in held:
            store.write(name, held.replace(content, bytes([content[0] ^ 1]) + content[1:]))


@contextmanager
def full_disk(root: Path, size_bytes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of `size_bytes`; where this process may not mount one, a stand-in that refuses to write more."""
    if disks.can_mount():
        with disks.small_disk(size_bytes) as disk:
            yield disk
        return
    write, left = os.write, [size_bytes]

    def bounded(descriptor: int, data: bytes) -> int:
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", bounded)
    yield root


class OnTheWay:
    """A blob store that calls `before` with its n-th reading call, then reads."""

    def __init__(self, blobs: BlobStore, before: Callable[[int], None]) -> None:
        self._blobs, self._before, self._calls = blobs, before, 0

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        self._count()
        return self._blobs.read_many(wanted)

    def stream(self, place: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        for piece in self._blobs.stream(place, digest):
            self._count()
            yield piece

    def _count(self) -> None:
        self._calls += 1
        self._before(self._calls)


class CaseBlindOs(SimpleNamespace):
    """Stands in for a disk that takes upper and lower case for one: hardly any Linux can mount one for a test."""

    def __init__(self) -> None:
        super().__init__(**vars(os))
        for name in ("mkdir", "open", "stat", "unlink"):
            setattr(self, name, self._blind(getattr(os, name)))
        self.link = lambda source, name, **where: os.link(source, name.lower(), **where)
        self.replace = lambda source, name, **where: os.replace(source, name.lower(), **where)

    def _blind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(name: str, *arguments: Any, **where: Any) -> Any:
            return function(name.lower() if "dir_fd" in where else name, *arguments, **where)

        return call
