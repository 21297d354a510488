"""The claim of a log to a bucket, or to a prefix of it: reading its marker, and writing it. See `ownership`."""

from collections.abc import Callable
from contextlib import suppress

from headwater_schemas.errors import BlobMissing, StoreUnavailable

from headwater_blobs.ownership import MARKER, MARKER_BYTES_MAX, Owner
from headwater_blobs.s3 import reading
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.errors import translate_errors
from headwater_blobs.s3.minio_client import S3Error
from headwater_blobs.s3.single_requests import put, put_new

_THERE = {"PreconditionFailed", "ConditionalRequestConflict"}  # S3 API, "Conditional writes"
_CANNOT_ASK = {"NotImplemented", "InvalidArgument"}  # of servers without conditional writes


class Claim:
    """What this process knows of a log's claim to a bucket. For any thread."""

    def __init__(self, bucket_client: BucketClient, owner: Owner) -> None:
        self._bucket_client, self._owner = bucket_client, owner
        self._is_made = False

    def check(self) -> None:
        """Cost: one request. Raises: StoreNotOurs; StoreMissing without the bucket; StoreUnavailable, FormatTooNew."""
        found = read_marker(self._bucket_client)
        self._is_made = found is not None and self._is_named_by(found)

    def make(self) -> None:
        """See that the bucket is marked as this log's. Costs nothing once it is. Raises: as `check`; StoreReadOnly."""
        if self._is_made:
            return
        found = read_marker(self._bucket_client)
        if found is None:
            self._write(put_new)
        elif not self._is_named_by(found):
            self._write(put)
        self.check()  # of several at once, one has won
        if not self._is_made:
            raise StoreUnavailable(
                f"{self._bucket_client.settings.shown(MARKER)} was written and is not there. Check the server, and "
                "whether something else deletes objects there."
            )

    def _is_named_by(self, marker: bytes) -> bool:
        return self._owner.is_named_by(marker, str(self._bucket_client.settings))

    def _write(self, write: Callable[..., None]) -> None:
        settings, marker = self._bucket_client.settings, self._owner.marker()
        arguments = self._bucket_client.client, settings.bucket, settings.key_of(MARKER), marker
        with translate_errors(settings, MARKER, writing=True):
            try:
                write(*arguments)
            except S3Error as error:
                if error.code in _CANNOT_ASK and write is put_new:
                    put(*arguments)
                elif error.code not in _THERE:
                    raise


def read_marker(bucket_client: BucketClient) -> bytes | None:
    """The marker of a bucket, None where it has none. Raises: StoreMissing without the bucket; StoreUnavailable."""
    with suppress(BlobMissing):
        return reading.fetch(bucket_client, MARKER, 0, MARKER_BYTES_MAX)
    return None
