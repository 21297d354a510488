"""Opening a bucket: made where asked, and plainly refused where not, without a secret in any message."""

import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from headwater_blobs.port import Staged
from headwater_blobs.s3.diagnostics import describe
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_schemas.errors import InvalidInput, StoreReadOnly, StoreUnavailable
from headwater_schemas.object_names import pack_name

from tests.s3.stand_ins import answering
from tests.support import buckets

PROJECT = "vision/digits"
CANARY = "canary-that-sings"


def nobody_there() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def silent_about(settings: S3Settings) -> None:
    """Opening fails; whatever is shown names endpoint and bucket and holds no secret."""
    with pytest.raises(StoreUnavailable) as error:
        S3BlobStore.open(settings, create=False)
    shown = str(error.value) + "".join(traceback.format_exception(error.value))
    assert settings.endpoint in str(error.value)
    assert settings.bucket in str(error.value)
    assert CANARY not in shown
    assert CANARY not in "".join(finding.text for finding in describe(settings))
    assert not describe(settings)[-1].is_good


def test_a_bucket_is_made_only_when_asked(settings: S3Settings) -> None:
    silent_about(settings)
    with pytest.raises(StoreUnavailable, match="there is no bucket"):
        S3BlobStore.open(settings, create=True, read_only=True)

    S3BlobStore.open(settings, create=True).close()

    S3BlobStore.open(settings, create=False).close()


def test_a_bucket_that_several_make_at_once_is_made(settings: S3Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: S3BlobStore.open(settings, create=True), range(8)))

    assert {str(store.settings) for store in stores} == {str(settings)}


@pytest.mark.parametrize("region", [None, "us-east-1"])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda settings: replace(settings, secret_key=CANARY),
        lambda settings: replace(settings, access_key=CANARY, secret_key=CANARY),
        lambda settings: replace(settings, session_token=CANARY),
    ],
    ids=["secret", "both", "token"],
)
def test_wrong_keys_are_refused(
    settings: S3Settings, region: str | None, wrong: Callable[[S3Settings], S3Settings]
) -> None:
    S3BlobStore.open(settings, create=True).close()

    silent_about(replace(wrong(settings), region=region))


def test_an_endpoint_where_nobody_is_is_refused(settings: S3Settings) -> None:
    absent = replace(settings, endpoint=nobody_there(), secret_key=CANARY)

    silent_about(absent)
    with pytest.raises(StoreUnavailable, match="connection refused"):
        S3BlobStore.open(absent, create=True)


@pytest.mark.parametrize(("status", "body"), [(200, "<html>"), (200, CANARY), (404, "<html/>"), (500, CANARY)])
def test_an_endpoint_that_does_not_speak_s3_is_refused(settings: S3Settings, status: int, body: str) -> None:
    with answering(status, body, seen=lambda _: None) as endpoint:
        silent_about(replace(settings, endpoint=endpoint))


def test_without_any_keys_it_is_said_where_they_are_looked_for(
    settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(StoreUnavailable, match="AWS_ACCESS_KEY_ID"):
        S3BlobStore.open(replace(settings, access_key=None, secret_key=None), create=False)


def test_keys_come_from_the_environment_where_none_are_given(
    settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", settings.access_key or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", settings.secret_key or "")

    S3BlobStore.open(replace(settings, access_key=None, secret_key=None), create=True).close()


def test_a_proxy_is_used_where_the_environment_names_one(settings: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    with answering(403, "", seen.append) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "elsewhere.example")
        with pytest.raises(StoreUnavailable):
            S3BlobStore.open(replace(settings, endpoint="http://s3.example", region="us-east-1"), create=False)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        S3BlobStore.open(settings, create=True).close()

    assert seen == [f"HEAD http://s3.example/{settings.bucket} HTTP/1.1"]


def test_a_store_opened_for_reading_refuses_every_write(settings: S3Settings) -> None:
    S3BlobStore.open(settings, create=True).close()
    store = S3BlobStore.open(settings, create=False, read_only=True)
    staged = Staged(pack_name(PROJECT), 7, None)
    attempts: list[Callable[[], object]] = [
        lambda: store.stage_pack([b"content"], project=PROJECT),
        lambda: store.publish(staged, staged.handle),
        lambda: store.discard(staged),
        lambda: store.delete([staged.handle]),
    ]

    for attempt in attempts:
        with pytest.raises(StoreReadOnly, match=settings.bucket):
            attempt()


def test_a_bucket_that_is_gone_is_said_to_be(settings: S3Settings) -> None:
    store = buckets.open_store(settings)
    buckets.remove(settings)
    attempts: list[Callable[[], object]] = [
        lambda: store.sizes([pack_name(PROJECT)]),
        lambda: list(store.list_objects()),
        lambda: store.stage_pack([b"content"], project=PROJECT),
    ]

    for attempt in attempts:
        with pytest.raises(StoreUnavailable, match="there is no bucket"):
            attempt()


def test_parts_smaller_than_s3_takes_are_refused(settings: S3Settings) -> None:
    with pytest.raises(InvalidInput, match="too small"):
        S3BlobStore.open(settings, create=True, part_bytes=1024)


def test_a_bucket_that_is_right_is_said_to_be_and_left_as_it_was(settings: S3Settings) -> None:
    store = buckets.open_store(settings)

    found = describe(settings)

    assert all(finding.is_good for finding in found)
    for word, finding in zip(("accepts", "exists", "no log yet", "deleted", "no incomplete"), found, strict=True):
        assert word in finding.text
    assert list(buckets.client_of(settings).list_objects(settings.bucket, recursive=True)) == []
    store.close()


def test_the_client_for_administrators_is_loaded_only_for_who_uses_it() -> None:
    script = (
        "import sys\nimport headwater_blobs.s3.store\nprint({'Crypto', 'argon2'} & set(sys.modules))\n"
        "import minio\nprint(minio.MinioAdmin.__module__, hasattr(minio, 'Unknown'))\n"
        "from minio import MinioAdmin\nfrom minio.minioadmin import MinioAdmin as same\nprint(MinioAdmin is same)"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert printed.stdout.split("\n") == ["set()", "minio.minioadmin False", "True", ""]
