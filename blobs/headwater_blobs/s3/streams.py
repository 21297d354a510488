"""Staging what comes piece by piece: in parts, one after the other, or by one request where it is small.

What is kept is whole parts. Two who go on with the same upload at once can replace each other's parts; so a proof of
the parts is kept as well, and an upload is only ever completed with the parts that were counted, by their ETags.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256

from headwater_schemas.errors import StoreError

from headwater_blobs.port import Kept, KeptLost, Staged
from headwater_blobs.s3 import uploads
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.minio_client import Part


class S3Stream:
    """A `StagedStream` in a bucket. Memory: one part."""

    def __init__(
        self, bucket_client: BucketClient, name: str, part_bytes: int, put: Callable[[str, bytes], None]
    ) -> None:
        """`put` stores what fits one part."""
        self._bucket_client, self._name, self._part_bytes, self._put = bucket_client, name, part_bytes, put
        self._buffer = bytearray()
        self._size = 0
        self._upload_id: str | None = None
        self._parts: list[Part] = []

    @classmethod
    def continued(cls, bucket_client: BucketClient, kept: Kept, put: Callable[[str, bytes], None]) -> "S3Stream":
        """The one of which this was kept. Raises: as `BlobStore.continue_stream`."""
        upload = uploads.parse_handle(kept.handle)
        found = None if upload is None else uploads.parts_of(bucket_client, *upload)
        parts = (found or [])[: kept.size // kept.step]
        if upload is None or _proof_of(parts) != kept.proof:
            raise KeptLost(
                f"an upload to {bucket_client.settings}, of which {kept.size:,} bytes were kept, is gone or has other "
                "parts: it was discarded or collected. Send all of it again."
            )
        stream = cls(bucket_client, upload[0], kept.step, put)
        stream._upload_id, stream._parts, stream._size = upload[1], parts, kept.size
        return stream

    def write(self, piece: bytes | memoryview) -> None:
        """See `StagedStream`."""
        self._size += len(piece)
        self._buffer += piece
        while len(self._buffer) >= self._part_bytes:
            part = bytes(memoryview(self._buffer)[: self._part_bytes])
            del self._buffer[: self._part_bytes]
            self._send(part)

    def finish(self) -> Staged:
        """See `StagedStream`. It is an object then, under a name that only the caller knows."""
        if self._upload_id is None:
            self._put(self._name, bytes(self._buffer))
        else:
            if self._buffer:
                self._send(bytes(self._buffer))
            self._complete(self._upload_id)
        self._buffer, self._upload_id = bytearray(), None
        return Staged(self._name, self._size, None, self._name)

    def keep(self) -> Kept | None:
        """See `StagedStream`. The parts that were sent are durable already."""
        if self._upload_id is None or not self._parts:
            return None
        handle = uploads.handle_of(self._name, self._upload_id)
        return Kept(handle, len(self._parts) * self._part_bytes, self._part_bytes, _proof_of(self._parts))

    def leave(self) -> None:
        """See `StagedStream`."""
        if not self._parts:
            with suppress(StoreError):  # it is listed as abandoned
                self.abort()
        self._upload_id, self._buffer = None, bytearray()

    def abort(self) -> None:
        """See `StagedStream`."""
        upload_id, self._upload_id, self._buffer = self._upload_id, None, bytearray()
        if upload_id is not None:
            uploads.abort(self._bucket_client, self._name, upload_id)

    def _send(self, content: bytes) -> None:
        with self._bucket_client.slots:
            if self._upload_id is None:
                self._upload_id = uploads.begin(self._bucket_client, self._name)
            try:
                number = len(self._parts) + 1
                part = uploads.send(self._bucket_client, self._name, self._upload_id, number, content)
            except uploads.UploadLost as error:
                raise self._lost() from error
        self._parts.append(part)

    def _complete(self, upload_id: str) -> None:
        try:
            uploads.complete(self._bucket_client, self._name, upload_id, self._parts, self._size)
        except uploads.UploadLost as error:
            raise self._lost() from error

    def _lost(self) -> KeptLost:
        return KeptLost(
            f"{self._bucket_client.settings} lost an upload before it was complete. Check how soon the bucket, or "
            "`headwater gc --grace`, drops incomplete uploads, and send it again."
        )


def _proof_of(parts: Sequence[Part]) -> str:
    """Says which parts these are, and in which order."""
    return sha256(" ".join(f"{part.part_number} {part.etag}" for part in parts).encode()).hexdigest()
