"""A server of each kind: a web server and a bucket for each test, a stand-in of Google's for a process."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from headwater._references import connections

from services.gcs import GoogleStandIn
from tests.references.objects import Bucket
from tests.support import buckets
from tests.support.servers import own_google_stand_in
from tests.support.web import Web, serving

_FOREIGN = ("AWS_", "GOOGLE_", "STORAGE_", "CLOUDSDK_")


@pytest.fixture(autouse=True)
def _no_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the accounts of whoever runs it, nor asks for their proxies or for roles of the machine."""
    for name in os.environ:
        if name.startswith(_FOREIGN) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # read by Google's own library


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many attempts as ever, with hardly a pause between them."""
    monkeypatch.setattr(connections, "BACKOFF_S", 0.01)
    monkeypatch.setattr(connections, "BREAKS", replace(connections.BREAKS, pause_s_min=0.01, pause_s_max=0.03))
    connections._pool.cache_clear()
    yield
    connections._pool.cache_clear()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket, and the environment with which it is reached."""
    settings = buckets.fresh()
    bucket = Bucket(settings)
    bucket.create()
    monkeypatch.setenv("AWS_ENDPOINT_URL", settings.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", settings.access_key or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", settings.secret_key or "")
    yield bucket
    bucket.end()


@pytest.fixture(scope="session")
def _stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleStandIn]:
    with own_google_stand_in(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture
def google(_stand_in: GoogleStandIn, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty bucket in the stand-in that the environment leads to."""
    from google.cloud import storage

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", _stand_in.endpoint)
    name = f"test-{uuid.uuid4().hex}"
    storage.Client(project="test").create_bucket(name)
    return name
