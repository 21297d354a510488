"""A blob store in a folder, and a projection that is a dictionary: a project has stored what a test says it has."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_producer.intake import Intake
from headwater_schemas import digests
from headwater_schemas.entries import Place

from tests.contract.blob_stores import PROJECT

Projection = dict[tuple[str, bytes], Place]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderBlobStore]:
    store = FolderBlobStore.open(tmp_path / "blobs")
    yield store
    store.close()


@pytest.fixture
def projection() -> Projection:
    return {}


@pytest.fixture
def new_intake(store: FolderBlobStore, projection: Projection) -> Callable[..., Intake]:
    """Makes one for the usual project; `algorithm` may be another."""

    def stored(project: str, wanted: Sequence[bytes]) -> Mapping[bytes, Place]:
        return {digest: projection[project, digest] for digest in wanted if (project, digest) in projection}

    return lambda algorithm=digests.XXH3: Intake(store, stored, algorithm=algorithm, project=PROJECT)


@pytest.fixture
def intake(new_intake: Callable[..., Intake]) -> Intake:
    return new_intake()
