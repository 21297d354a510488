"""Uploads in parts, several at once: an object of any size, visible with its last part or not at all.

Memory: the parts on their way are PARTS_AT_ONCE in the whole process, however many uploads there are.

The client library's own `put_object` goes on reading after a part has failed, and leaves threads behind when its source
fails, so its single steps are used here.
"""

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import suppress

from headwater_schemas.errors import InvalidInput, StoreError, StoreUnavailable
from headwater_schemas.object_names import check_object_name, is_object_name
from minio.datatypes import Part, Upload
from minio.error import S3Error

from headwater_blobs.port import StoredObject
from headwater_blobs.s3.answers import as_our_errors
from headwater_blobs.s3.client import Line
from headwater_blobs.s3.reading import size_of

PART_BYTES = 8 * 1024 * 1024  # larger ones were no faster
PART_BYTES_MIN = 5 * 1024 * 1024  # S3 API, "Multipart upload limits"; so are the next two
PARTS_MAX = 10_000
OBJECT_BYTES_MAX = 5 * 1024**4

_MARK = "?uploadId="
_UPLOAD_ID = re.compile(r"[!-~]{1,1024}")
_NO_SUCH_UPLOAD = "NoSuchUpload"


def part_bytes_for(size: int, wanted: int = PART_BYTES) -> int:
    """The size of the parts of an object: `wanted`, or as much larger as PARTS_MAX makes necessary."""
    return max(wanted, -(-size // PARTS_MAX))


def upload(line: Line, name: str, size: int, parts: Iterator[bytes]) -> None:
    """Make the object `name` of `parts`, `size` bytes together. Where `parts` raises, nothing becomes visible.

    Raises: StoreUnavailable, StoreReadOnly; what `parts` raises.
    """
    bucket = line.settings.bucket
    with as_our_errors(line.settings, name, writing=True):
        upload_id = line.client._create_multipart_upload(bucket, name, {})
    sent: list[Future[Part]] = []
    try:
        _send_all(line, name, upload_id, parts, sent)
        etags = [future.result() for future in sent]
        _complete(line, name, upload_id, etags, size)
    except BaseException:  # also after Ctrl-C: what was sent costs room until somebody looks for it
        wait([future for future in sent if not future.cancel()])  # a part that arrives later would stay
        with suppress(StoreError):  # the first error says more, and `abandoned` lists what stays
            abort(line, name, upload_id)
        raise


def location_of(name: str, upload_id: str) -> str:
    """How an incomplete upload is called in a `Staged`, and in what `abandoned` lists."""
    return f"{name}{_MARK}{upload_id}"


def parse_location(location: str) -> tuple[str, str] | None:
    """Object name and id of an incomplete upload; None for any other location. Raises: InvalidInput."""
    name, mark, upload_id = location.partition(_MARK)
    if not mark:
        return None
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise InvalidInput(f"{location[:300]!r} is not the name of an incomplete upload; it was left alone.")
    return check_object_name(name), upload_id


def abort(line: Line, name: str, upload_id: str) -> None:
    """Forget an incomplete upload. One that is not there is fine."""
    with as_our_errors(line.settings, name, writing=True):
        try:
            line.client._abort_multipart_upload(line.settings.bucket, name, upload_id)
        except S3Error as error:
            if error.code != _NO_SUCH_UPLOAD:
                raise


def incomplete(line: Line) -> Iterator[StoredObject]:
    """The incomplete uploads of our objects, the bytes that each holds, and when it began.

    MinIO forgets to list those from before its own start, but removes them itself, a day old unless told otherwise.
    """
    for found in _listed(line):
        if found.upload_id is not None and is_object_name(found.object_name):
            size = _held(line, found.object_name, found.upload_id)
            began_s = found.initiated_time.timestamp() if found.initiated_time else 0.0
            if size is not None:
                yield StoredObject(location_of(found.object_name, found.upload_id), size, began_s)


def _send_all(line: Line, name: str, upload_id: str, parts: Iterator[bytes], sent: "list[Future[Part]]") -> None:
    slots, unsettled, number = line.slots, deque[Future[Part]](), 0
    while True:
        slots.acquire()  # before the part is read
        try:
            part = next(parts, None)
        except BaseException:
            slots.release()
            raise
        if part is None:
            slots.release()
            return
        number += 1
        future = _send(line, name, upload_id, number, part)
        future.add_done_callback(lambda _: slots.release())
        del part  # the thread that sends it is the last to hold it
        sent.append(future)
        unsettled.append(future)
        while unsettled and unsettled[0].done():
            unsettled.popleft().result()  # reading on is of no use once one has failed


def _send(line: Line, name: str, upload_id: str, number: int, part: bytes) -> "Future[Part]":
    def work() -> Part:
        with as_our_errors(line.settings, name, writing=True):
            etag = line.client._upload_part(line.settings.bucket, name, part, None, upload_id, number)
        return Part(number, etag)

    return line.submit(work)


def _complete(line: Line, name: str, upload_id: str, parts: list[Part], size: int) -> None:
    """Make the object visible. What matters is whether it then is: an answer can get lost, or tell of an error late."""
    failure = "no such upload"
    with as_our_errors(line.settings, name, writing=True):
        try:
            result = line.client._complete_multipart_upload(line.settings.bucket, name, upload_id, parts)
            if result.etag:
                return
            failure = "an error instead of the new object"
        except S3Error as error:
            if error.code != _NO_SUCH_UPLOAD:  # an answer that got lost is asked for again, and the upload is done
                raise
    if size_of(line, name) != size:
        raise StoreUnavailable(
            f"object {name!r} in {line.settings} was sent whole and is not there: {failure}. Add it again."
        )


def _listed(line: Line) -> Iterator[Upload]:
    key: str | None = None
    marker: str | None = None
    while True:
        with as_our_errors(line.settings):
            page = line.client._list_multipart_uploads(line.settings.bucket, key_marker=key, upload_id_marker=marker)
        yield from page.uploads
        if not page.is_truncated or not page.next_key_marker:
            return
        key, marker = page.next_key_marker, page.next_upload_id_marker


def _held(line: Line, name: str, upload_id: str) -> int | None:
    """The bytes of an incomplete upload, None when it was completed or aborted meanwhile."""
    size, marker, more = 0, None, True
    while more:
        with as_our_errors(line.settings, name):
            try:
                page = line.client._list_parts(line.settings.bucket, name, upload_id, part_number_marker=marker)
            except S3Error as error:
                if error.code == _NO_SUCH_UPLOAD:
                    return None
                raise
        size += sum(part.size or 0 for part in page.parts)
        marker, more = page.next_part_number_marker, bool(page.is_truncated and page.next_part_number_marker)
    return size
