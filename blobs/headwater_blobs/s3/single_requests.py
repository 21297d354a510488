"""Single requests that the client library keeps private.

`tests/contract/test_private_names.py` fails when the library changes these names.
"""

from collections.abc import Sequence

from headwater_blobs.s3.minio_client import DeleteObject, DeleteResult, Minio

DELETED_AT_ONCE_MAX = 1000  # S3 API, "DeleteObjects"

_JSON = {"Content-Type": "application/json"}


def delete_objects(client: Minio, bucket: str, objects: Sequence[DeleteObject]) -> DeleteResult:
    """Delete up to DELETED_AT_ONCE_MAX. The result names each, and whether a delete marker hides it instead."""
    return client._delete_objects(bucket, list(objects))


def put_new(client: Minio, bucket: str, key: str, content: bytes) -> None:
    """Store an object of JSON unless there is one. Raises: S3Error with PreconditionFailed, where there is."""
    client._put_object(bucket, key, content, {**_JSON, "If-None-Match": "*"})


def put(client: Minio, bucket: str, key: str, content: bytes) -> None:
    """Store an object of JSON, also over another one. Raises: S3Error."""
    client._put_object(bucket, key, content, {**_JSON})
