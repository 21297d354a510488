"""The blob store in a bucket. Staged bytes are an object already, under the name that they will most likely keep."""

import io
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import HeadwaterError, InvalidFile, InvalidInput, StoreReadOnly, StoreUnavailable
from headwater_schemas.object_names import check_object_name, file_name, is_name_prefix, is_object_name, pack_name
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from headwater_blobs import verify
from headwater_blobs.local_sources import digest_of, head_of, read_unchanged
from headwater_blobs.port import UPLOADING, Staged, StoredObject, Watch, first_attempt, unwatched
from headwater_blobs.s3 import reading, uploads
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.errors import is_missing, missing_bucket, translate_errors
from headwater_blobs.s3.recently_seen import RecentlySeen
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.sources import parts_of

UPLOADS_MAX = 5  # of a file whose upload is lost each time
ASKED_ONE_BY_ONE_MAX = 256  # objects of one project and kind; for more, listing all of them is quicker
RANGE_BYTES_MAX = 4 * 1024 * 1024  # of one request, which takes some milliseconds whatever its size

_EXISTS_ALREADY = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


class S3BlobStore:
    """A `BlobStore` in a bucket. Open it with `open`.

    Memory: PARTS_AT_ONCE parts of large files in the whole process, 32 MiB with parts of the usual size; those of a
    file beyond 78 GiB are larger, since an upload has at most PARTS_MAX. A pack is copied once while it is sent.
    """

    def __init__(self, settings: S3Settings, *, read_only: bool, part_bytes: int) -> None:
        self.settings = settings
        self._read_only = read_only
        self._part_bytes = part_bytes
        self._unpublished: set[str] = set()  # packs that only this process knows, and may delete
        self._seen = RecentlySeen()
        # After a fork both processes may publish them, so neither may delete them; unpublished ones become garbage.
        self._bucket_client = BucketClient(settings, on_fork=self._unpublished.clear)

    @classmethod
    def open(
        cls,
        settings: S3Settings,
        *,
        create: bool,
        read_only: bool = False,
        part_bytes: int = uploads.PART_BYTES,
    ) -> "S3BlobStore":
        """Open the store in a bucket; create the bucket where `create` is set and there is none.

        Raises: StoreUnavailable when the server does not answer or refuses the keys, or there is no bucket;
        StoreReadOnly when the bucket would have to be created and may not be.
        """
        if part_bytes < uploads.PART_BYTES_MIN:
            raise InvalidInput(f"parts of {part_bytes:,} bytes are too small; at least {uploads.PART_BYTES_MIN:,}.")
        store = cls(settings, read_only=read_only, part_bytes=part_bytes)
        if not store._exists():
            if not create or read_only:
                raise missing_bucket(settings)
            store._create()
        return store

    def stage_pack(self, contents: Sequence[bytes], *, project: str) -> Staged:
        self._refuse_if_read_only()
        name, body = pack_name(project), b"".join(contents)
        self._put(name, body)
        self._unpublished.add(name)
        self._seen.add(name, len(body))
        return Staged(name, len(body), None, name)

    def stage_file(
        self,
        source: BinaryIO,
        algorithm: str,
        *,
        project: str,
        attempt: Callable[[bytes], int] = first_attempt,
        watch: Watch = unwatched,
    ) -> Staged:
        self._refuse_if_read_only()
        for _ in range(UPLOADS_MAX):
            with suppress(uploads.UploadLost):
                return read_unchanged(
                    source, lambda: self._stage_file(source.fileno(), algorithm, project, attempt, watch)
                )
        raise StoreUnavailable(
            f"{self.settings} lost each of {UPLOADS_MAX} uploads of a file before it was complete. Check how soon "
            "the bucket, or `headwater gc --grace`, drops incomplete uploads, and add it again."
        )

    def publish(self, staged: Staged, name: str) -> None:
        source = check_object_name(staged.handle)
        check_object_name(name)
        self._refuse_if_read_only()
        if not (name == source and self._seen.pop(name, staged.size)) and not self._has(name, staged.size):
            self._copy(staged, name)
        if name == source:
            self._unpublished.discard(name)

    def discard(self, staged: Staged) -> None:
        """As the port says. Only a pack that this process staged and never published is deleted: others share files."""
        incomplete = uploads.parse_handle(staged.handle)
        name = staged.handle if incomplete else check_object_name(staged.handle)
        self._refuse_if_read_only()
        self._seen.forgotten(name)
        if incomplete:
            uploads.abort(self._bucket_client, *incomplete)
        elif name in self._unpublished:
            self._unpublished.discard(name)  # first: a name that may be deleted twice may be somebody else's by then
            self._delete([name])

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        by_prefix: dict[str, set[str]] = defaultdict(set)
        for name in names:
            by_prefix[check_object_name(name).rpartition("/")[0] + "/"].add(name)
        found: dict[str, int] = {}
        for prefix, wanted in by_prefix.items():
            if len(wanted) > ASKED_ONE_BY_ONE_MAX:
                found |= {one.name: one.size for one in self.list_objects(prefix) if one.name in wanted}
            else:
                found |= self._sizes_one_by_one(wanted)
        if len(found) < sum(map(len, by_prefix.values())) and not self._exists():
            raise missing_bucket(self.settings)  # which the response for a missing object does not reveal
        return found

    def read(self, location: BlobLocation, digest: bytes) -> bytes:
        verify.check_location(location)
        data = reading.fetch(
            self._bucket_client, check_object_name(location.object_name), location.offset, location.size
        )
        verify.check_digest(data, location, digest, str(self.settings))
        return data

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        ranges = list(verify.coalesce(wanted, RANGE_BYTES_MAX))
        for one in ranges:
            check_object_name(one.object_name)
        results = [b""] * len(wanted)
        fetched = self._bucket_client.map(lambda one: self._contents_of(one, wanted), ranges)
        for one, contents in zip(ranges, fetched, strict=True):
            for i, content in zip(one.wanted, contents, strict=True):
                results[i] = content
        return results

    def stream(self, location: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        verify.check_location(location)
        pieces = reading.pieces_of(
            self._bucket_client, check_object_name(location.object_name), location.offset, location.size
        )
        return verify.checked_pieces(map(memoryview, pieces), location, digest, str(self.settings))

    def local_file(self, location: BlobLocation) -> str | None:  # noqa: ARG002  objects are on a server
        return None

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        if not is_name_prefix(prefix):
            return
        folder, slash, last = prefix.rpartition("/")
        asked = folder + slash if last in (".", "..") else prefix  # a name may start so, but MinIO refuses the request
        with translate_errors(self.settings):
            for found in self._bucket_client.client.list_objects(self.settings.bucket, asked, recursive=True):
                name, modified = found.object_name, found.last_modified
                if name is not None and name.startswith(prefix) and is_object_name(name) and modified is not None:
                    yield StoredObject(name, found.size or 0, modified.timestamp())

    def abandoned(self) -> Iterator[StoredObject]:
        """As the port says: the incomplete uploads. `name` is the `handle` of one, so that `discard` aborts it."""
        return (found.as_stored() for found in uploads.incomplete(self._bucket_client))

    def reclaim(self, *, idle_s: float, dry_run: bool) -> Iterator[StoredObject]:
        """As the port says. An upload has no lock: it counts as left when no part arrived for `idle_s`."""
        if not dry_run:
            self._refuse_if_read_only()
        for found in uploads.incomplete(self._bucket_client):
            if found.active_s > time.time() - idle_s:
                continue
            if not dry_run:
                uploads.abort(self._bucket_client, found.name, found.upload_id)
            yield found.as_stored()

    def adopt(self, staged: Staged) -> Staged | None:
        """As the port says. What was staged is an object already, which several processes may use."""
        self._refuse_if_read_only()
        found = reading.size_of(self._bucket_client, check_object_name(staged.handle))
        if found != staged.size:
            return None
        self._seen.add(staged.handle, staged.size)
        return staged

    def delete(self, names: Iterable[str]) -> None:
        self._refuse_if_read_only()
        self._delete(check_object_name(name) for name in names)

    def close(self) -> None:
        self._bucket_client.close()

    def _refuse_if_read_only(self) -> None:
        if self._read_only:
            raise StoreReadOnly(f"{self.settings} was opened read-only. Open it for writing.")

    def _exists(self) -> bool:
        with translate_errors(self.settings):
            return self._bucket_client.client.bucket_exists(self.settings.bucket)

    def _create(self) -> None:
        with translate_errors(self.settings, writing=True):
            try:
                self._bucket_client.client.make_bucket(self.settings.bucket)
            except S3Error as error:
                if (
                    error.code not in _EXISTS_ALREADY
                ):  # another process was faster; the first write shows whether it may be used
                    raise

    def _sizes_one_by_one(self, names: Iterable[str]) -> dict[str, int]:
        wanted = list(names)
        sizes = self._bucket_client.map(lambda name: reading.size_of(self._bucket_client, name), wanted)
        return {name: size for name, size in zip(wanted, sizes, strict=True) if size is not None}

    def _stage_file(
        self, source: int, algorithm: str, project: str, attempt: Callable[[bytes], int], watch: Watch
    ) -> Staged:
        """Raises: SourceChanged when the file changes meanwhile."""
        if os.fstat(source).st_size <= self._part_bytes:
            with self._bucket_client.slots:
                small = head_of(source, self._part_bytes + 1)
                if len(small) <= self._part_bytes:  # unless it grew meanwhile
                    return self._stage_small(small, algorithm, project, attempt, watch)
        digest, size = digest_of(source, algorithm, watch)
        name = file_name(project, digest, attempt(digest))
        if size > uploads.OBJECT_BYTES_MAX:
            raise InvalidFile(
                f"a file of {size:,} bytes exceeds the {uploads.OBJECT_BYTES_MAX:,} of one S3 object. Split it."
            )
        if not self._has(name, size):
            parts = parts_of(source, uploads.part_bytes_for(size, self._part_bytes), digest, size)
            uploads.upload(self._bucket_client, name, size, parts, watch)
        self._seen.add(name, size)
        return Staged(name, size, digest, name)

    def _stage_small(
        self, content: bytes, algorithm: str, project: str, attempt: Callable[[bytes], int], watch: Watch
    ) -> Staged:
        hasher = digests.new_hasher(algorithm)
        hasher.update(content)
        digest = digests.pack(algorithm, hasher.digest())
        name = file_name(project, digest, attempt(digest))
        if not self._has(name, len(content)):
            self._put(name, content)
            watch(UPLOADING, len(content))
        self._seen.add(name, len(content))
        return Staged(name, len(content), digest, name)

    def _has(self, name: str, size: int) -> bool:
        found = reading.size_of(self._bucket_client, name)
        if found is not None and found != size:
            raise verify.other_size(name, size, found, str(self.settings))
        return found is not None

    def _put(self, name: str, body: bytes) -> None:
        with translate_errors(self.settings, name, writing=True):
            self._bucket_client.client.put_object(
                self.settings.bucket,
                name,
                io.BytesIO(body),
                len(body),
                part_size=max(len(body), uploads.PART_BYTES_MIN),  # in one request
            )

    def _copy(self, staged: Staged, name: str) -> None:
        """Make `name` of the staged object, within the server, in parts where it is large."""
        bucket, found = self.settings.bucket, reading.size_of(self._bucket_client, staged.handle)
        if found is not None and found != staged.size:
            raise verify.other_size(staged.handle, staged.size, found, str(self.settings))
        with translate_errors(self.settings, writing=True):
            try:
                if found is not None:
                    self._bucket_client.client.copy_object(bucket, name, CopySource(bucket, staged.handle))
                    return
            except S3Error as error:
                if not is_missing(error):
                    raise
        raise StoreUnavailable(
            f"object {staged.handle!r} in {self.settings} is gone: it was discarded or collected. "
            "Add its content again."
        )

    def _contents_of(self, fetched: verify.ByteRange, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        data = reading.fetch(self._bucket_client, fetched.object_name, fetched.offset, fetched.size)
        contents = []
        for i in fetched.wanted:
            location, digest = wanted[i]
            start = location.offset - fetched.offset
            content = data[start : start + location.size]
            verify.check_digest(content, location, digest, str(self.settings))
            contents.append(content)
        return contents

    def _delete(self, names: Iterable[str]) -> None:
        deleted = (DeleteObject(self._seen.forgotten(name)) for name in names)
        with translate_errors(self.settings, writing=True):
            errors = list(self._bucket_client.client.remove_objects(self.settings.bucket, deleted))
        if errors:
            raise _not_deleted(errors[0].name, errors[0].code, len(errors), self.settings)


def _not_deleted(name: str | None, code: str | None, count: int, settings: S3Settings) -> HeadwaterError:
    kind = StoreReadOnly if code == "AccessDenied" else StoreUnavailable
    return kind(
        f"{count:,} objects in {settings} could not be deleted, for example {name!r}: {code}. "
        "Check what the keys permit, then repeat."
    )
