"""A bucket of each test's own."""

from collections.abc import Iterator

import pytest
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore

from tests.support import buckets


@pytest.fixture
def settings() -> Iterator[S3Settings]:
    settings = buckets.fresh()
    yield settings
    buckets.remove(settings)


@pytest.fixture
def store(settings: S3Settings) -> Iterator[S3BlobStore]:
    store = buckets.open_store(settings)
    yield store
    store.close()
