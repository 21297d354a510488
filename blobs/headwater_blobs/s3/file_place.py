"""A `FilePlace` under a prefix of a bucket. Each file is sent by one request, so that none is ever incomplete."""

import io
from collections.abc import Iterator

from headwater_schemas.errors import StoreMissing, StoreUnavailable

from headwater_blobs.port import UNREADABLE
from headwater_blobs.s3 import reading
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.errors import translate_errors
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.uploads import PART_BYTES_MIN


class BucketPlace:
    """A `FilePlace` in a bucket that exists. Open it with `open`."""

    def __init__(self, settings: S3Settings, prefix: str) -> None:
        self._settings = settings
        self._prefix = f"{prefix}/" if prefix else ""
        self._bucket_client = BucketClient(settings)

    @classmethod
    def open(cls, settings: S3Settings, prefix: str) -> "BucketPlace":
        """Files under `prefix`, which neither begins nor ends with a slash, within the prefix of the settings.

        Raises: StoreUnavailable, StoreMissing.
        """
        place = cls(settings, prefix)
        with translate_errors(settings):
            if place._bucket_client.client.bucket_exists(settings.bucket):
                return place
        raise StoreMissing(f"there is no {settings}. Create it, or correct its name.")

    @property
    def url(self) -> str:
        return f"s3://{self._settings.bucket}/{self._settings.key_of(self._prefix)}".rstrip("/")

    def put(self, path: str, content: bytes) -> None:
        name, size = self._prefix + path, len(content)
        with translate_errors(self._settings, name, writing=True):
            self._bucket_client.client.put_object(
                self._settings.bucket,
                self._settings.key_of(name),
                io.BytesIO(content),
                size,
                part_size=max(size, PART_BYTES_MIN),
            )

    def get(self, path: str) -> bytes | None:
        name = self._prefix + path
        size = reading.size_of(self._bucket_client, name)
        if size is None:
            return None
        if size == UNREADABLE:
            raise StoreUnavailable(f"{self._settings.shown(name)} cannot be read by the server. Check its log.")
        return reading.fetch(self._bucket_client, name, 0, size)

    def paths(self, prefix: str = "") -> Iterator[str]:
        begin, own = self._settings.key_of(self._prefix + prefix), self._settings.key_of(self._prefix)
        with translate_errors(self._settings):
            for found in self._bucket_client.client.list_objects(self._settings.bucket, begin, recursive=True):
                if found.object_name is not None and found.object_name.startswith(begin):
                    yield found.object_name.removeprefix(own)

    def reclaim(self, *, idle_s: float) -> None:
        """As the port says. A request that breaks leaves nothing."""

    def close(self) -> None:
        self._bucket_client.close()
