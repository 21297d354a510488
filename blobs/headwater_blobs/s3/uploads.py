"""Uploads in parts, several at once: an object of any size becomes visible with its last part or not at all.

Memory: PARTS_AT_ONCE parts in the whole process, however many uploads there are.
"""

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass

from headwater_schemas.errors import InvalidInput, StoreError, StoreUnavailable
from headwater_schemas.object_names import check_object_name, is_object_name

from headwater_blobs.port import UPLOADING, StoredObject, Watch, unwatched
from headwater_blobs.s3 import multipart
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.errors import translate_errors
from headwater_blobs.s3.minio_client import Minio, Part, S3Error, Upload
from headwater_blobs.s3.reading import size_of

PART_BYTES = 8 * 1024 * 1024  # larger ones were no faster
PART_BYTES_MIN = 5 * 1024 * 1024  # S3 API, "Multipart upload limits"; so are the next two
PARTS_MAX = 10_000
OBJECT_BYTES_MAX = 5 * 1024**4

_MARK = "?uploadId="
_UPLOAD_ID = re.compile(r"[!-~]{1,1024}")
_NO_SUCH_UPLOAD = "NoSuchUpload"
_OTHER_PART = "InvalidPart"  # a part is not there any more, or another has its number


class UploadLost(Exception):
    """The server has forgotten an upload: it was collected, or expired there. Never leaves the adapter."""


def part_bytes_for(size: int, wanted: int = PART_BYTES) -> int:
    """The size of an object's parts: `wanted`, or more where PARTS_MAX requires it."""
    return max(wanted, -(-size // PARTS_MAX))


def upload(bucket_client: BucketClient, name: str, size: int, parts: Iterator[bytes], watch: Watch = unwatched) -> None:
    """Make the object `name` of `parts`, `size` bytes in total. Where `parts` raises, nothing becomes visible.

    Raises: UploadLost, after which it can be sent again; StoreUnavailable, StoreReadOnly; what `parts` raises.
    """
    upload_id = begin(bucket_client, name)
    sent: list[Future[Part]] = []
    try:
        for settled in _send_all(bucket_client, name, upload_id, parts, sent):
            watch(UPLOADING, settled)
        etags = [future.result() for future in sent]
        complete(bucket_client, name, upload_id, etags, size)
    except BaseException:  # also after Ctrl-C: parts that were sent take space until they are collected
        wait([future for future in sent if not future.cancel()])  # a part that arrives after the abort would stay
        with suppress(StoreError):  # the first error matters more, and `abandoned` lists the upload
            abort(bucket_client, name, upload_id)
        raise


def handle_of(name: str, upload_id: str) -> str:
    """The handle of an incomplete upload, in a `Staged` and in the listing of `abandoned`."""
    return f"{name}{_MARK}{upload_id}"


def parse_handle(handle: str) -> tuple[str, str] | None:
    """Object name and id of an incomplete upload; None for any other handle. Raises: InvalidInput."""
    name, mark, upload_id = handle.partition(_MARK)
    if not mark:
        return None
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise InvalidInput(f"{handle[:300]!r} is not the handle of an incomplete upload; nothing was done.")
    return check_object_name(name), upload_id


def abort(bucket_client: BucketClient, name: str, upload_id: str) -> None:
    """Abort an incomplete upload. One that does not exist is fine."""
    with translate_errors(bucket_client.settings, name, writing=True):
        try:
            multipart.abort(*_target(bucket_client, name), upload_id)
        except S3Error as error:
            if error.code != _NO_SUCH_UPLOAD:
                raise


@dataclass(frozen=True, slots=True)
class Incomplete:
    """An upload that is neither complete nor aborted."""

    name: str  # of the object
    upload_id: str
    size: int  # bytes that it holds
    active_s: float  # when its last part arrived, or it began; seconds since 1970, by the server's clock

    def as_stored(self) -> StoredObject:
        """As a listing of the store has it."""
        return StoredObject(handle_of(self.name, self.upload_id), self.size, self.active_s)


def incomplete(bucket_client: BucketClient) -> Iterator[Incomplete]:
    """The incomplete uploads of objects, as the settings have them.

    MinIO does not list those from before its own start, but deletes them itself, by default after a day.
    """
    for found in _listed(bucket_client):
        name = bucket_client.settings.name_of(found.object_name or "")
        if found.upload_id is not None and name is not None and is_object_name(name):
            parts = parts_of(bucket_client, name, found.upload_id)
            if parts is not None:
                times = [part.last_modified for part in parts] + [found.initiated_time]
                active_s = max((time.timestamp() for time in times if time is not None), default=0.0)
                size = sum(part.size or 0 for part in parts)
                yield Incomplete(name, found.upload_id, size, active_s)


def _send_all(
    bucket_client: BucketClient, name: str, upload_id: str, parts: Iterator[bytes], sent: "list[Future[Part]]"
) -> Iterator[int]:
    """Yields the size of each part that has arrived."""
    slots, unsettled, number = bucket_client.slots, deque[tuple[Future[Part], int]](), 0
    while True:
        slots.acquire()  # before the part is read
        try:
            part = next(parts, None)
        except BaseException:
            slots.release()
            raise
        if part is None:
            slots.release()
            break
        number, size = number + 1, len(part)
        future = _send(bucket_client, name, upload_id, number, part)
        future.add_done_callback(lambda _: slots.release())
        del part  # so that the sending thread holds the last reference
        sent.append(future)
        unsettled.append((future, size))
        while unsettled and unsettled[0][0].done():
            yield _arrived(*unsettled.popleft())
    for future, size in unsettled:
        yield _arrived(future, size)


def _arrived(future: "Future[Part]", size: int) -> int:
    """Raises: what has kept the part from arriving, so that no more is read."""
    future.result()
    return size


def _send(bucket_client: BucketClient, name: str, upload_id: str, number: int, part: bytes) -> "Future[Part]":
    return bucket_client.submit(lambda: send(bucket_client, name, upload_id, number, part))


def begin(bucket_client: BucketClient, name: str) -> str:
    """Begin an upload; returns its id. Raises: StoreUnavailable, StoreReadOnly."""
    with translate_errors(bucket_client.settings, name, writing=True):
        return multipart.create(*_target(bucket_client, name))


def send(bucket_client: BucketClient, name: str, upload_id: str, number: int, part: bytes) -> Part:
    """Send a part, numbered from 1. Raises: UploadLost, StoreUnavailable, StoreReadOnly."""
    with translate_errors(bucket_client.settings, name, writing=True):
        try:
            return multipart.send_part(*_target(bucket_client, name), upload_id, number, part)
        except S3Error as error:
            if error.code == _NO_SUCH_UPLOAD:
                raise UploadLost from error
            raise


def complete(bucket_client: BucketClient, name: str, upload_id: str, parts: list[Part], size: int) -> None:
    """Make the object visible, and check that it is: a response can get lost, or report an error late."""
    is_lost = False
    with translate_errors(bucket_client.settings, name, writing=True):
        try:
            result = multipart.complete(*_target(bucket_client, name), upload_id, parts)
            if result.etag:
                return
        except S3Error as error:
            if error.code not in (_NO_SUCH_UPLOAD, _OTHER_PART):
                raise
            is_lost = True  # or complete: after a lost response the request is repeated
    if size_of(bucket_client, name) == size:
        return
    if is_lost:
        raise UploadLost
    raise StoreUnavailable(
        f"{bucket_client.settings.shown(name)} was sent completely and does not exist: the server gave an "
        "error instead of the new object. Add it again."
    )


def parts_of(bucket_client: BucketClient, name: str, upload_id: str) -> list[Part] | None:
    """The parts of an incomplete upload, None when it was completed or aborted meanwhile."""
    parts: list[Part] = []
    marker, more = None, True
    while more:
        with translate_errors(bucket_client.settings, name):
            try:
                page = multipart.list_parts(*_target(bucket_client, name), upload_id, marker)
            except S3Error as error:
                if error.code == _NO_SUCH_UPLOAD:
                    return None
                raise
        parts += page.parts
        marker, more = page.next_part_number_marker, bool(page.is_truncated and page.next_part_number_marker)
    return parts


def _target(bucket_client: BucketClient, name: str) -> tuple[Minio, str, str]:
    return bucket_client.client, bucket_client.settings.bucket, bucket_client.settings.key_of(name)


def _listed(bucket_client: BucketClient) -> Iterator[Upload]:
    key: str | None = None
    marker: str | None = None
    while True:
        with translate_errors(bucket_client.settings):
            # Of the whole bucket: asked for a prefix, MinIO lists only the uploads of an object of that name.
            page = multipart.list_uploads(bucket_client.client, bucket_client.settings.bucket, key, marker)
        yield from page.uploads
        if not page.is_truncated or not page.next_key_marker:
            return
        key, marker = page.next_key_marker, page.next_upload_id_marker
