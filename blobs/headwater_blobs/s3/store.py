"""The blob store in a bucket. Staged bytes are an object already, under the name that they will most likely keep."""

import io
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from typing import BinaryIO

from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import (
    BlobCorrupt,
    InvalidFile,
    InvalidInput,
    NotFreed,
    StoreMissing,
    StoreReadOnly,
    StoreUnavailable,
)
from headwater_schemas.object_names import (
    KINDS,
    check_object_name,
    file_name,
    is_name_prefix,
    is_object_name,
    pack_name,
)

from headwater_blobs import verify
from headwater_blobs.local_sources import digest_of, head_of, read_unchanged
from headwater_blobs.ownership import Owner
from headwater_blobs.port import UPLOADING, Kept, Staged, StagedStream, StoredObject, Watch, first_attempt, unwatched
from headwater_blobs.s3 import reading, uploads
from headwater_blobs.s3.claim import Claim
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.deleting import Deleter
from headwater_blobs.s3.errors import is_missing, missing_bucket, translate_errors
from headwater_blobs.s3.minio_client import CopySource, S3Error
from headwater_blobs.s3.recently_seen import RecentlySeen
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.sources import parts_of
from headwater_blobs.s3.streams import S3Stream

UPLOADS_MAX = 5  # of a file whose upload is lost each time
ASKED_ONE_BY_ONE_MAX = 256  # objects of one project and kind; for more, listing them is quicker, unless
LISTED_FOR_EACH_MAX = 20  # there are more than so many for each that is asked for: a page takes as long as 50 requests
RANGE_BYTES_MAX = 4 * 1024 * 1024  # of one request, which takes some milliseconds whatever its size

_EXISTS_ALREADY = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


class S3BlobStore:
    """A `BlobStore` in a bucket. Open it with `open`.

    Memory: PARTS_AT_ONCE parts of large files in the whole process, 32 MiB with parts of the usual size; those of a
    file beyond 78 GiB are larger, since an upload has at most PARTS_MAX. A pack is copied once while it is sent.
    """

    def __init__(self, settings: S3Settings, *, read_only: bool, part_bytes: int, owner: Owner | None = None) -> None:
        self.settings = settings
        self._read_only = read_only
        self._part_bytes = part_bytes
        self._unpublished: set[str] = set()  # packs that only this process knows, and may delete
        self._seen = RecentlySeen()
        # After a fork both processes may publish them, so neither may delete them; unpublished ones become garbage.
        self._bucket_client = BucketClient(settings, on_fork=self._unpublished.clear)
        self._deleter = Deleter(self._bucket_client)
        self._claim = None if owner is None else Claim(self._bucket_client, owner)

    @classmethod
    def open(
        cls,
        settings: S3Settings,
        *,
        create: bool,
        read_only: bool = False,
        part_bytes: int = uploads.PART_BYTES,
        owner: Owner | None = None,
    ) -> "S3BlobStore":
        """Open the store in a bucket; create the bucket where `create` is set and there is none.

        `owner`: the log whose content it has; it is claimed for that log with `create`, else before the first write.
        Cost: one request, and some more the first time.
        Raises: StoreUnavailable when the server does not answer or refuses the keys, or there is no bucket;
        StoreReadOnly when the bucket would have to be created and may not be; StoreNotOurs when it has the content of
        another log.
        """
        if part_bytes < uploads.PART_BYTES_MIN:
            raise InvalidInput(f"parts of {part_bytes:,} bytes are too small; at least {uploads.PART_BYTES_MIN:,}.")
        store = cls(settings, read_only=read_only, part_bytes=part_bytes, owner=owner)
        try:
            store._check()
        except StoreMissing:
            if not create or read_only:
                raise
            store._create()
        if create and not read_only and store._claim is not None:
            store._claim.make()
        return store

    def stage_pack(
        self,
        contents: Sequence[bytes],
        *,
        project: str,
        algorithm: str | None = None,  # noqa: ARG002 - clients compute digests
    ) -> Staged:
        self._prepare_to_write()
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
        self._prepare_to_write()
        for _ in range(UPLOADS_MAX):
            with suppress(uploads.UploadLost):
                return read_unchanged(
                    source, lambda: self._stage_file(source.fileno(), algorithm, project, attempt, watch)
                )
        raise StoreUnavailable(
            f"{self.settings} lost each of {UPLOADS_MAX} uploads of a file before it was complete. Check how soon "
            "the bucket, or `headwater gc --grace`, drops incomplete uploads, and add it again."
        )

    def goes_along(self, contents: Sequence[bytes]) -> bool:  # noqa: ARG002 - events carry no content
        return False

    def sent_in_vain(self, contents: Iterable[bytes]) -> dict[bytes, int]:  # noqa: ARG002 - as above
        return {}

    def stage_stream(self, *, project: str, size: int) -> StagedStream:
        self._prepare_to_write()
        return S3Stream(self._bucket_client, pack_name(project), self.stream_step(size), self._put)

    def stream_step(self, size: int) -> int:
        return uploads.part_bytes_for(size, self._part_bytes)

    def continue_stream(self, kept: Kept) -> StagedStream:
        self._prepare_to_write()
        return S3Stream.continued(self._bucket_client, kept, self._put)

    def publish(self, staged: Staged, name: str) -> None:
        source = check_object_name(staged.handle)
        check_object_name(name)
        self._prepare_to_write()
        if not (name == source and self._seen.pop(name, staged.size)) and not self._has(name, staged.size):
            self._copy(staged, name)
        if name == source:
            self._unpublished.discard(name)

    def discard(self, staged: Staged) -> None:
        """As the port says. Only a pack that this process staged and never published is deleted: others share files."""
        incomplete = uploads.parse_handle(staged.handle)
        name = staged.handle if incomplete else check_object_name(staged.handle)
        self._prepare_to_write()
        self._seen.forgotten(name)
        if incomplete:
            uploads.abort(self._bucket_client, *incomplete)
        elif name in self._unpublished:
            self._unpublished.discard(name)  # first: a name that may be deleted twice may be somebody else's by then
            self._delete_own(name)

    def outlives(self, staged: Staged, names: Collection[str]) -> bool:
        return staged.handle not in names

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        by_prefix: dict[str, set[str]] = defaultdict(set)
        for name in names:
            by_prefix[check_object_name(name).rpartition("/")[0] + "/"].add(name)
        found: dict[str, int] = {}
        for prefix, wanted in by_prefix.items():
            if len(wanted) > ASKED_ONE_BY_ONE_MAX:
                found |= self._sizes_listed(prefix, wanted)
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
        verify.check_digest(data, self._in_bucket(location), digest, str(self.settings))
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
        return verify.checked_pieces(map(memoryview, pieces), self._in_bucket(location), digest, str(self.settings))

    def stream_part(self, location: BlobLocation, start: int, size: int) -> Iterator[memoryview]:
        part = verify.part_of(location, start, size)
        pieces = reading.pieces_of(self._bucket_client, check_object_name(part.object_name), part.offset, part.size)
        return verify.counted_pieces(map(memoryview, pieces), self._in_bucket(part), str(self.settings))

    def local_file(self, location: BlobLocation) -> str | None:  # noqa: ARG002  objects are on a server
        return None

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        if not is_name_prefix(prefix):
            return
        for kind in KINDS:  # other keys may be many, of an archive or of installations with another prefix
            if kind.startswith(prefix) or prefix.startswith(kind):
                yield from self._listed(max(prefix, f"{kind}/", key=len))

    def abandoned(self) -> Iterator[StoredObject]:
        """As the port says: the incomplete uploads. `name` is the `handle` of one, so that `discard` aborts it."""
        return (found.as_stored() for found in uploads.incomplete(self._bucket_client))

    def reclaim(self, *, idle_s: float, dry_run: bool) -> Iterator[StoredObject]:
        """As the port says. An upload has no lock: it counts as left when no part arrived for `idle_s`."""
        if not dry_run:
            self._prepare_to_write()
        for found in uploads.incomplete(self._bucket_client):
            if found.active_s > time.time() - idle_s:
                continue
            if not dry_run:
                uploads.abort(self._bucket_client, found.name, found.upload_id)
            yield found.as_stored()

    def adopt(self, staged: Staged) -> Staged | None:
        """As the port says. What was staged is an object already, which several processes may use."""
        self._prepare_to_write()
        found = reading.size_of(self._bucket_client, check_object_name(staged.handle))
        if found != staged.size:
            return None
        self._seen.add(staged.handle, staged.size)
        return staged

    def delete(self, names: Iterable[str]) -> None:
        self._prepare_to_write()
        self._deleter.delete(self._seen.forgotten(check_object_name(name)) for name in names)

    def close(self) -> None:
        self._bucket_client.close()

    def _prepare_to_write(self) -> None:
        if self._read_only:
            raise StoreReadOnly(f"{self.settings} was opened read-only. Open it for writing.")
        if self._claim is not None:
            self._claim.make()

    def _check(self) -> None:
        """Raises: StoreMissing without the bucket; StoreNotOurs; StoreUnavailable."""
        if self._claim is not None:
            self._claim.check()
        elif not self._exists():
            raise missing_bucket(self.settings)

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

    def _listed(self, prefix: str) -> Iterator[StoredObject]:
        folder, slash, last = prefix.rpartition("/")
        asked = folder + slash if last in (".", "..") else prefix  # a name may start so, but MinIO refuses the request
        settings = self.settings
        with translate_errors(settings):
            for found in self._bucket_client.client.list_objects(
                settings.bucket, settings.key_of(asked), recursive=True
            ):
                name, modified = settings.name_of(found.object_name or ""), found.last_modified
                if name is not None and name.startswith(prefix) and is_object_name(name) and modified is not None:
                    yield StoredObject(name, found.size or 0, modified.timestamp())

    def _in_bucket(self, location: BlobLocation) -> BlobLocation:
        """As errors name it."""
        if not self.settings.prefix:
            return location
        return BlobLocation(self.settings.key_of(location.object_name), location.offset, location.size)

    def _other_size(self, name: str, size: int, found: int) -> BlobCorrupt:
        return verify.other_size(self.settings.key_of(name), size, found, str(self.settings))

    def _delete_own(self, name: str) -> None:
        """What cannot be freed is left for a collection."""
        with suppress(NotFreed):
            self._deleter.delete([self._seen.forgotten(name)])

    def _sizes_listed(self, prefix: str, wanted: Set[str]) -> dict[str, int]:
        """By listing, in order of names, and where that turns out to be long one by one from there on."""
        found: dict[str, int] = {}
        for listed, one in enumerate(self.list_objects(prefix)):
            if listed == LISTED_FOR_EACH_MAX * len(wanted):
                return found | self._sizes_one_by_one(name for name in wanted if name >= one.name)
            if one.name in wanted:
                found[one.name] = one.size
        return found

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
            raise self._other_size(name, size, found)
        return found is not None

    def _put(self, name: str, body: bytes) -> None:
        with translate_errors(self.settings, name, writing=True):
            self._bucket_client.client.put_object(
                self.settings.bucket,
                self.settings.key_of(name),
                io.BytesIO(body),
                len(body),
                part_size=max(len(body), uploads.PART_BYTES_MIN),  # in one request
            )

    def _copy(self, staged: Staged, name: str) -> None:
        """Make `name` of the staged object, within the server, in parts where it is large."""
        bucket, key_of = self.settings.bucket, self.settings.key_of
        found = reading.size_of(self._bucket_client, staged.handle)
        if found is not None and found != staged.size:
            raise self._other_size(staged.handle, staged.size, found)
        with translate_errors(self.settings, writing=True):
            try:
                if found is not None:
                    self._bucket_client.client.copy_object(
                        bucket, key_of(name), CopySource(bucket, key_of(staged.handle))
                    )
                    return
            except S3Error as error:
                if not is_missing(error):
                    raise
        raise StoreUnavailable(
            f"{self.settings.shown(staged.handle)} is gone: it was discarded or collected. Add its content again."
        )

    def _contents_of(self, fetched: verify.ByteRange, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        data = reading.fetch(self._bucket_client, fetched.object_name, fetched.offset, fetched.size)
        contents = []
        for i in fetched.wanted:
            location, digest = wanted[i]
            start = location.offset - fetched.offset
            content = data[start : start + location.size]
            verify.check_digest(content, self._in_bucket(location), digest, str(self.settings))
            contents.append(content)
        return contents
