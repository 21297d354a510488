"""Delete objects so that their bytes are freed: in a bucket that keeps versions, every version of them.

There a plain deletion only hides an object behind a marker. Whether the bucket is one is asked once. Where these keys
may not ask, or versioning is switched on meanwhile, the answer to the first deletion shows it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from headwater_schemas.errors import HeadwaterError, NotFreed, StoreUnavailable

from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.errors import is_forbidden, translate_errors
from headwater_blobs.s3.minio_client import DeleteObject, S3Error
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.single_requests import DELETED_AT_ONCE_MAX, delete_objects

_RIGHTS = "s3:DeleteObjectVersion and s3:ListBucketVersions"
_NO_SUCH_VERSION = "NoSuchVersion"
_LOCKED = "InvalidRequest"  # MinIO's code for what object lock protects; S3 says AccessDenied


class Deleter:
    """Deletes objects of one bucket. For any thread."""

    def __init__(self, bucket_client: BucketClient) -> None:
        self._bucket_client = bucket_client
        self._keeps_versions: bool | None = None  # None: not known yet

    @property
    def _settings(self) -> S3Settings:
        return self._bucket_client.settings

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects with all their versions. Raises: as `BlobStore.delete`."""
        failed, remaining = dict[str, str](), iter(names)
        while batch := list(islice(remaining, DELETED_AT_ONCE_MAX)):
            failed |= self._delete_batch(batch)
        if failed:
            raise _not_deleted(failed, self._settings)

    def _delete_batch(self, names: Sequence[str]) -> dict[str, str]:
        """Key → the code of the error, of each that was not deleted."""
        if self._keeps_versions is None:
            self._keeps_versions = self._has_versions()
        if not self._keeps_versions:
            failed, hidden = self._delete([DeleteObject(self._settings.key_of(name)) for name in names])
            if not hidden:
                return failed
            self._keeps_versions = True
        return self._delete_versions(names)

    def _has_versions(self) -> bool:
        """Whether the bucket keeps versions, or did so once."""
        settings = self._settings
        with translate_errors(settings):
            try:
                return self._bucket_client.client.get_bucket_versioning(settings.bucket).status is not None
            except S3Error as error:
                if is_forbidden(error) or error.code == "NotImplemented":
                    return False
                raise

    def _delete_versions(self, names: Sequence[str]) -> dict[str, str]:
        failed, versions = dict[str, str](), self._versions_of(names)
        with translate_errors(self._settings, writing=True):
            try:
                while batch := list(islice(versions, DELETED_AT_ONCE_MAX)):
                    failed |= self._delete(batch)[0]
            except S3Error as error:
                if not is_forbidden(error):
                    raise
                failed = {self._settings.key_of(name): error.code or "" for name in names}
        return failed

    def _versions_of(self, names: Sequence[str]) -> Iterator[DeleteObject]:
        """Every version of these, and every marker. Cost: a request for each name. Raises: S3Error."""
        for versions in self._bucket_client.map(self._versions, map(self._settings.key_of, names)):
            yield from versions

    def _versions(self, key: str) -> list[DeleteObject]:
        listed = self._bucket_client.client.list_objects(
            self._settings.bucket, key, recursive=True, include_version=True
        )
        return [DeleteObject(key, found.version_id) for found in listed if found.object_name == key]

    def _delete(self, objects: Sequence[DeleteObject]) -> tuple[dict[str, str], bool]:
        """The codes of errors by key, and whether any was only hidden. Raises: StoreUnavailable, StoreReadOnly."""
        with translate_errors(self._settings, writing=True):
            result = delete_objects(self._bucket_client.client, self._settings.bucket, objects)
        failed = {
            error.name or objects[0].name: error.code for error in result.error_list if error.code != _NO_SUCH_VERSION
        }
        hidden = any(one.delete_marker and one.version_id is None for one in result.object_list)
        return failed, hidden


def _not_deleted(failed: dict[str, str], settings: S3Settings) -> HeadwaterError:
    key, code = next(iter(failed.items()))
    text = f"{len(failed):,} objects in {settings} could not be deleted, for example {key!r}: {code}. "
    if not all(is_forbidden(code) or code == _LOCKED for code in failed.values()):
        return StoreUnavailable(f"{text}Check the server's log, then repeat.")
    names = [settings.name_of(key) or key for key in failed]
    return NotFreed(
        f"{text}Their bytes stay. Grant the keys {_RIGHTS}, or wait until no object lock protects them, then repeat.",
        names=names,
    )
