"""The blob store in a bucket. What is staged is an object already, under the name that it will most likely keep."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import HeadwaterError, InvalidFile, InvalidInput, StoreReadOnly, StoreUnavailable
from headwater_schemas.object_names import check_object_name, file_name, is_object_name, may_begin_a_name, pack_name
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from headwater_blobs import verify
from headwater_blobs.port import Staged, StoredObject
from headwater_blobs.s3 import reading, sources, uploads
from headwater_blobs.s3.answers import as_our_errors, is_missing, missing_bucket
from headwater_blobs.s3.client import Line
from headwater_blobs.s3.settings import S3Settings

READINGS_MAX = 5  # of a file that keeps changing; whatever writes it is not done
RUN_BYTES_MAX = 4 * 1024 * 1024  # one request for neighbours; each costs some milliseconds, whatever its size

_OURS_ALREADY = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


class S3BlobStore:
    """A `BlobStore` in a bucket. Open it with `open`.

    Memory: PARTS_AT_ONCE parts of a large file for the whole process, 32 MiB with parts as they usually are; a part of
    a file beyond 78 GiB is larger, since an upload has at most PARTS_MAX. A pack is held once more while it is sent.
    """

    def __init__(self, settings: S3Settings, *, read_only: bool, part_bytes: int) -> None:
        self.settings = settings
        self._read_only = read_only
        self._part_bytes = part_bytes
        self._unpublished: set[str] = set()  # packs that only this process knows, so that it may delete them
        # After a fork both may publish them, so neither may delete them: what nobody published is garbage then.
        self._line = Line(settings, on_fork=self._unpublished.clear)

    @classmethod
    def open(
        cls,
        settings: S3Settings,
        *,
        create: bool,
        read_only: bool = False,
        part_bytes: int = uploads.PART_BYTES,
    ) -> "S3BlobStore":
        """Open the store in a bucket; make the bucket where `create` allows and it is not there.

        Raises: StoreUnavailable when nobody answers, the keys are refused or there is no bucket; StoreReadOnly when it
        would have to be made and may not be.
        """
        if part_bytes < uploads.PART_BYTES_MIN:
            raise InvalidInput(f"parts of {part_bytes:,} bytes are too small; at least {uploads.PART_BYTES_MIN:,}.")
        store = cls(settings, read_only=read_only, part_bytes=part_bytes)
        if not store._is_there():
            if not create or read_only:
                raise missing_bucket(settings)
            store._create()
        return store

    def stage_pack(self, contents: Sequence[bytes], *, project: str) -> Staged:
        self._refuse_if_read_only()
        name, body = pack_name(project), b"".join(contents)
        self._put(name, body)
        self._unpublished.add(name)
        return Staged(name, len(body), None, name)

    def stage_file(self, source: BinaryIO, algorithm: str, *, project: str) -> Staged:
        self._refuse_if_read_only()
        for _ in range(READINGS_MAX):
            with suppress(sources.SourceChanged):
                return self._stage_as_it_is(source.fileno(), algorithm, project)
        shown = repr(source.name) if isinstance(getattr(source, "name", None), str) else "a file"
        raise InvalidFile(
            f"{shown} changed each of {READINGS_MAX} times while it was read; nothing of it was kept. "
            "Add it once whatever writes it is done."
        )

    def publish(self, staged: Staged, name: str) -> None:
        source = check_object_name(staged.location)
        check_object_name(name)
        self._refuse_if_read_only()
        found = reading.size_of(self._line, name)
        if found is None:
            self._copy(staged, name)
        elif found != staged.size:
            raise verify.other_size(name, staged.size, found, str(self.settings))
        if name == source:
            self._unpublished.discard(name)

    def discard(self, staged: Staged) -> None:
        """As the port says. Only a pack that this process staged and never published is deleted: others share files."""
        incomplete = uploads.parse_location(staged.location)
        name = staged.location if incomplete else check_object_name(staged.location)
        self._refuse_if_read_only()
        if incomplete:
            uploads.abort(self._line, *incomplete)
        elif name in self._unpublished:
            self._unpublished.discard(name)  # first: a name that may be deleted twice may be somebody else's by then
            self._delete([name])

    def have(self, names: Iterable[str]) -> set[str]:
        wanted = [check_object_name(name) for name in names]
        sizes = self._line.map(lambda name: reading.size_of(self._line, name), wanted)
        found = {name for name, size in zip(wanted, sizes, strict=True) if size is not None}
        if len(found) < len(wanted) and not self._is_there():  # which a missing object does not tell
            raise missing_bucket(self.settings)
        return found

    def read(self, place: BlobLocation, digest: bytes) -> bytes:
        verify.check_place(place)
        data = reading.fetch(self._line, check_object_name(place.object_name), place.offset, place.size)
        verify.check_digest(data, place, digest, str(self.settings))
        return data

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        runs = list(verify.runs_of(wanted, RUN_BYTES_MAX))
        for run in runs:
            check_object_name(run.object_name)
        results = [b""] * len(wanted)
        for run, contents in zip(runs, self._line.map(lambda run: self._contents_of(run, wanted), runs), strict=True):
            for i, content in zip(run.wanted, contents, strict=True):
                results[i] = content
        return results

    def stream(self, place: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        verify.check_place(place)
        pieces = reading.pieces_of(self._line, check_object_name(place.object_name), place.offset, place.size)
        return verify.checked_pieces(map(memoryview, pieces), place, digest, str(self.settings))

    def file_of(self, place: BlobLocation) -> str | None:  # noqa: ARG002  objects are on a server
        return None

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        if not may_begin_a_name(prefix):
            return
        folder, slash, last = prefix.rpartition("/")
        asked = folder + slash if last in (".", "..") else prefix  # a name may begin so, but MinIO refuses to look
        with as_our_errors(self.settings):
            for found in self._line.client.list_objects(self.settings.bucket, asked, recursive=True):
                name, modified = found.object_name, found.last_modified
                if name is not None and name.startswith(prefix) and is_object_name(name) and modified is not None:
                    yield StoredObject(name, found.size or 0, modified.timestamp())

    def abandoned(self) -> Iterator[StoredObject]:
        """As the port says: the incomplete uploads. `name` is the `location` of one, so `discard` removes it."""
        return uploads.incomplete(self._line)

    def delete(self, names: Iterable[str]) -> None:
        self._refuse_if_read_only()
        self._delete(check_object_name(name) for name in names)

    def close(self) -> None:
        self._line.close()

    def _refuse_if_read_only(self) -> None:
        if self._read_only:
            raise StoreReadOnly(f"{self.settings} was opened for reading only. Open it for writing.")

    def _is_there(self) -> bool:
        with as_our_errors(self.settings):
            return self._line.client.bucket_exists(self.settings.bucket)

    def _create(self) -> None:
        with as_our_errors(self.settings, writing=True):
            try:
                self._line.client.make_bucket(self.settings.bucket)
            except S3Error as error:
                if error.code not in _OURS_ALREADY:  # somebody else was faster; whose it is shows with the first write
                    raise

    def _stage_as_it_is(self, source: int, algorithm: str, project: str) -> Staged:
        """Raises: SourceChanged when it does not stay so."""
        if os.fstat(source).st_size <= self._part_bytes:
            with self._line.slots:
                small = sources.begin_of(source, self._part_bytes + 1)
                if len(small) <= self._part_bytes:  # or it grew meanwhile
                    return self._stage_small(small, algorithm, project)
        digest, size = sources.digest_of(source, algorithm)
        name = file_name(project, digest)
        if size > uploads.OBJECT_BYTES_MAX:
            raise InvalidFile(f"a file of {size:,} bytes is more than S3 stores in one object; split it.")
        if not self._has(name, size):
            parts = sources.parts_of(source, uploads.part_bytes_for(size, self._part_bytes), digest, size)
            uploads.upload(self._line, name, size, parts)
        return Staged(name, size, digest, name)

    def _stage_small(self, content: bytes, algorithm: str, project: str) -> Staged:
        hasher = digests.new_hasher(algorithm)
        hasher.update(content)
        digest = digests.pack(algorithm, hasher.digest())
        name = file_name(project, digest)
        if not self._has(name, len(content)):
            self._put(name, content)
        return Staged(name, len(content), digest, name)

    def _has(self, name: str, size: int) -> bool:
        found = reading.size_of(self._line, name)
        if found is not None and found != size:
            raise verify.other_size(name, size, found, str(self.settings))
        return found is not None

    def _put(self, name: str, body: bytes) -> None:
        with as_our_errors(self.settings, name, writing=True):
            self._line.client.put_object(
                self.settings.bucket,
                name,
                io.BytesIO(body),
                len(body),
                part_size=max(len(body), uploads.PART_BYTES_MIN),  # in one piece
            )

    def _copy(self, staged: Staged, name: str) -> None:
        """Make `name` of what is staged, within the server, in parts where it is large."""
        bucket, found = self.settings.bucket, reading.size_of(self._line, staged.location)
        if found is not None and found != staged.size:
            raise verify.other_size(staged.location, staged.size, found, str(self.settings))
        with as_our_errors(self.settings, writing=True):
            try:
                if found is not None:
                    self._line.client.copy_object(bucket, name, CopySource(bucket, staged.location))
                    return
            except S3Error as error:
                if not is_missing(error):
                    raise
        raise StoreUnavailable(
            f"object {staged.location!r} in {self.settings} is gone: discarded or collected. Add its content again."
        )

    def _contents_of(self, run: verify.Run, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        data = reading.fetch(self._line, run.object_name, run.offset, run.size)
        contents = []
        for i in run.wanted:
            place, digest = wanted[i]
            start = place.offset - run.offset
            content = data[start : start + place.size]
            verify.check_digest(content, place, digest, str(self.settings))
            contents.append(content)
        return contents

    def _delete(self, names: Iterable[str]) -> None:
        with as_our_errors(self.settings, writing=True):
            errors = list(
                self._line.client.remove_objects(self.settings.bucket, (DeleteObject(name) for name in names))
            )
        if errors:
            raise _not_deleted(errors[0].name, errors[0].code, len(errors), self.settings)


def _not_deleted(name: str | None, code: str | None, count: int, settings: S3Settings) -> HeadwaterError:
    kind = StoreReadOnly if code == "AccessDenied" else StoreUnavailable
    return kind(
        f"{count:,} objects in {settings} could not be deleted, {name!r} among them: {code}. "
        "Check what these keys may do there, and repeat."
    )
