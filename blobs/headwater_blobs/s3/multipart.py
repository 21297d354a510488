"""The single steps of an upload in parts, which the client library keeps private.

Its public `put_object` goes on reading its source after a part has failed, and leaves threads behind when the source
fails. `tests/contract/test_private_names.py` fails when the library changes these names.
"""

from headwater_blobs.s3.minio_client import (
    CompleteMultipartUploadResult,
    ListMultipartUploadsResult,
    ListPartsResult,
    Minio,
    Part,
)


def create(client: Minio, bucket: str, name: str) -> str:
    """Begin an upload; returns its id."""
    return client._create_multipart_upload(bucket, name, {})


def send_part(client: Minio, bucket: str, name: str, upload_id: str, number: int, content: bytes) -> Part:
    """Send the part with this number, from 1."""
    return Part(number, client._upload_part(bucket, name, content, None, upload_id, number))


def complete(client: Minio, bucket: str, name: str, upload_id: str, parts: list[Part]) -> CompleteMultipartUploadResult:
    """Make the object visible."""
    return client._complete_multipart_upload(bucket, name, upload_id, parts)


def abort(client: Minio, bucket: str, name: str, upload_id: str) -> None:
    """Forget the upload and its parts."""
    client._abort_multipart_upload(bucket, name, upload_id)


def list_uploads(client: Minio, bucket: str, key: str | None, upload_id: str | None) -> ListMultipartUploadsResult:
    """A page of the incomplete uploads after these markers."""
    return client._list_multipart_uploads(bucket, key_marker=key, upload_id_marker=upload_id)


def list_parts(client: Minio, bucket: str, name: str, upload_id: str, after: str | None) -> ListPartsResult:
    """A page of the parts of an upload after this marker."""
    return client._list_parts(bucket, name, upload_id, part_number_marker=after)
