"""A blob store in a folder, and a projection that is a dictionary: a project has stored what a test says it has."""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_producer.stager import BlobStager
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation

from tests.contract.blob_stores import PROJECT

Projection = dict[tuple[str, bytes], BlobLocation]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderBlobStore]:
    store = FolderBlobStore.open(tmp_path / "blobs")
    yield store
    store.close()


@pytest.fixture
def projection() -> Projection:
    return {}


@pytest.fixture
def new_stager(store: FolderBlobStore, projection: Projection) -> Callable[..., BlobStager]:
    """Makes one for the usual project; `algorithm` may be another, and `catch_up` do something."""

    def stored(project: str, wanted: Sequence[bytes], *, without: Collection[str] = ()) -> Mapping[bytes, BlobLocation]:
        found = {digest: projection[project, digest] for digest in wanted if (project, digest) in projection}
        return {digest: place for digest, place in found.items() if place.object_name not in without}

    def new(algorithm: str = digests.XXH3, **more: Any) -> BlobStager:
        return BlobStager(store, stored, algorithm=algorithm, project=PROJECT, **more)

    return new


@pytest.fixture
def stager(new_stager: Callable[..., BlobStager]) -> BlobStager:
    return new_stager()


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Threads take turns after almost every instruction."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
