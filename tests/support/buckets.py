"""Buckets of the test run's own S3 server: a fresh one a test, and a way past the adapter."""

import io
import json
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_blobs.s3.uploads import PART_BYTES_MIN
from minio import Minio
from minio.credentials import AssumeRoleProvider
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from urllib3 import PoolManager

SMALL_PARTS_BYTES = PART_BYTES_MIN  # the smallest that S3 takes, so that few bytes are many parts


def fresh() -> S3Settings:
    """A bucket that is not there yet."""
    from tests.support.servers import servers  # a process that is only told of a bucket needs no servers

    at = servers()
    return S3Settings(at.s3_endpoint, f"test-{uuid.uuid4().hex}", at.s3_access_key, at.s3_secret_key)


def open_store(settings: S3Settings) -> S3BlobStore:
    return S3BlobStore.open(settings, create=True, part_bytes=SMALL_PARTS_BYTES)


def to_text(settings: S3Settings) -> str:
    return json.dumps(asdict(settings))


def settings_from_text(text: str) -> S3Settings:
    return S3Settings(**json.loads(text))


def client_of(settings: S3Settings) -> Minio:
    return Minio(
        settings.host,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        secure=settings.is_secure,
        region="us-east-1",
    )


def raw(settings: S3Settings, name: str) -> bytes:
    response = client_of(settings).get_object(settings.bucket, name)
    try:
        return response.data
    finally:
        response.release_conn()


def write(settings: S3Settings, name: str, content: bytes) -> None:
    client_of(settings).put_object(settings.bucket, name, io.BytesIO(content), len(content))


def flip(content: bytes) -> bytes:
    at = len(content) * 3 // 4  # beyond the header of a small object
    return content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :]


def cut(content: bytes) -> bytes:
    return content[: len(content) * 3 // 4]


_rotten: list[Path] = []  # files of the server that were changed behind its back


def rot(settings: S3Settings, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change the bytes of an object on the server's disk, or by putting others there where that is out of reach."""
    from tests.support.servers import servers  # a process that is only told of a bucket needs no servers

    folder = servers().s3_folder
    if folder is None:
        write(settings, name, change(raw(settings, name)))
        return
    # MinIO keeps what is small in `xl.meta`, and else the bytes in `part.N` beside it.
    files = [path for path in Path(folder, settings.bucket, name).rglob("*") if path.is_file()]
    parts = [path for path in files if path.name.startswith("part.")] or files
    for path in parts[:1]:
        path.write_bytes(change(path.read_bytes()))
        _rotten.append(path)


def remove(settings: S3Settings) -> None:
    for path in _rotten:  # the server can no longer delete what it cannot read
        path.unlink(missing_ok=True)
    _rotten.clear()
    client = client_of(settings)
    if client.bucket_exists(settings.bucket):
        found = (DeleteObject(one.object_name or "", one.version_id) for one in versions_in(settings))
        assert list(client.remove_objects(settings.bucket, found, bypass_governance_mode=True)) == []
        client.remove_bucket(settings.bucket)


def versions_in(settings: S3Settings) -> Iterator[Object]:
    """Every version of every object in the bucket, and every marker."""
    return client_of(settings).list_objects(settings.bucket, recursive=True, include_version=True)


def with_rights(settings: S3Settings, *, denied: Collection[str]) -> S3Settings:
    """Keys that may do everything but that."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]},
            {"Effect": "Deny", "Action": sorted(denied), "Resource": ["arn:aws:s3:::*"]},
        ],
    }
    role = AssumeRoleProvider(
        sts_endpoint=settings.endpoint,
        access_key=settings.access_key or "",
        secret_key=settings.secret_key or "",
        policy=json.dumps(policy),
    ).retrieve()
    return replace(settings, access_key=role.access_key, secret_key=role.secret_key, session_token=role.session_token)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A list that the method of each request to a server is added to, by whatever store of this process."""
    requests, whole = list[str](), PoolManager.urlopen

    def urlopen(pool: PoolManager, method: str, *arguments: Any, **options: Any) -> Any:
        requests.append(method)
        return whole(pool, method, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(PoolManager, "urlopen", urlopen)
        yield requests
