"""Buckets of the test run's own S3 server: a fresh one a test, and a way past the adapter."""

import io
import json
import uuid
from dataclasses import asdict

from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_blobs.s3.uploads import PART_BYTES_MIN
from minio import Minio
from minio.deleteobjects import DeleteObject

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


def remove(settings: S3Settings) -> None:
    client = client_of(settings)
    if client.bucket_exists(settings.bucket):
        found = client.list_objects(settings.bucket, recursive=True)
        assert (
            list(client.remove_objects(settings.bucket, (DeleteObject(one.object_name or "") for one in found))) == []
        )
        client.remove_bucket(settings.bucket)
