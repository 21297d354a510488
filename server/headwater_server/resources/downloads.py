"""Sending the content of one file: its headers, conditions and ranges, and its bytes piece by piece.

All of it is verified by its digest; what turns out to be wrong breaks the connection off before the end, so that no
client takes it for whole. A range of a large file is sent as it is stored: only who has all of it can verify it.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request, Response
from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_consumer.queries import EntryInfo
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing, ContentError

from headwater_server.http.answering import has
from headwater_server.http.gathering import gathered
from headwater_server.http.problems import Problem
from headwater_server.resources.naming import live_version
from headwater_server.service import Service
from headwater_server.submitting.pieces import MEDIA_TYPE, Pieces, damaged, verified

Version = tuple[str, int]  # collection, number

_RANGE = re.compile(r"bytes=(?:([0-9]{1,19})-([0-9]{0,19})|-([0-9]{1,19}))")
_FIXED = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-cache, no-transform",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Authorization",
    "X-Content-Type-Options": "nosniff",
}


async def download(request: Request, service: Service, principal: str, version: Version, entry: EntryInfo) -> Response:
    """The answer with the content of a version's entry, or what was asked for of it.

    Raises: Problem for a range beyond its end, and for a version that is deleted by now.
    """
    assert entry.digest is not None
    assert entry.size is not None
    etag = f'"{digests.to_text(entry.digest)}"'
    headers = {**_FIXED, "ETag": etag, "Content-Disposition": _disposition(entry.path)}
    if has(request.headers.get("if-none-match"), etag):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    first, last = 0, entry.size
    status = HTTPStatus.OK
    if (asked := _asked_range(request, etag)) is not None:
        first, last = _bounded(asked, entry)
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {first}-{last - 1}/{entry.size}"
    headers["Content-Length"] = str(last - first)
    if request.method == "HEAD":
        return Response(None, status, headers, MEDIA_TYPE)
    if entry.size <= PACKED_FILE_BYTES_MAX:
        data = await service.transfer(_read, service, version, entry)
        return Response(data[first:last], status, headers, MEDIA_TYPE)
    return Pieces(service, principal, _pieces(service, version, entry, first, last), status, headers)


def no_content_of(entry: EntryInfo) -> Problem:
    """The answer for a reference, whose content is elsewhere: it is not fetched, and nobody is sent there."""
    return Problem(
        HTTPStatus.CONFLICT,
        "is-reference",
        "this path is a reference, and its content is not stored here.",
        "Fetch it from its `uri`.",
        more={"uri": entry.uri},
    )


def _read(service: Service, version: Version, entry: EntryInfo) -> bytes:
    """In a thread. Raises: Problem where it is lost or damaged."""
    assert entry.digest is not None
    try:
        with _of_live(service, version):
            return service.contents.read(_place(entry), entry.digest)
    except ContentError as error:
        raise damaged(error, entry.digest) from error


@contextmanager
def _of_live(service: Service, version: Version) -> Iterator[None]:
    """A block that reads content of a version. Raises: Problem where that is missing because it was deleted since."""
    try:
        yield
    except BlobMissing:
        live_version(service.database, version[0], f"v{version[1]}")
        raise


def _pieces(
    service: Service, version: Version, entry: EntryInfo, first: int, last: int
) -> Generator[memoryview, None, None]:
    """Runs in the threads of transfers."""
    assert entry.digest is not None
    place, contents = _place(entry), service.contents
    is_whole = (first, last) == (0, entry.size)
    stream = contents.stream(place, entry.digest) if is_whole else contents.stream_part(place, first, last - first)

    def pieces() -> Iterator[memoryview]:
        with _of_live(service, version):
            yield from stream

    return gathered(verified(pieces(), entry.digest))


def _place(entry: EntryInfo) -> BlobLocation:
    assert entry.object_name is not None
    assert entry.object_offset is not None
    assert entry.size is not None
    return BlobLocation(entry.object_name, entry.object_offset, entry.size)


def _disposition(path: str) -> str:
    """A file to keep, by its name in both forms of RFC 6266; nothing of it can end the header."""
    name = path.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9_.\- ]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _asked_range(request: Request, etag: str) -> tuple[int | None, int | None] | None:
    """(first, last) or (None, length of the end); None: all. What is no single range is ignored (RFC 9110, 14.2)."""
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or request.headers.get("if-range", etag) != etag:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return None, int(suffix)
    if last and int(last) < int(first):
        return None
    return int(first), int(last) if last else None


def _bounded(asked: tuple[int | None, int | None], entry: EntryInfo) -> tuple[int, int]:
    """Half-open. Raises: Problem when no byte is in it."""
    size = entry.size or 0
    first, last = asked
    if first is None:
        first, end = max(size - (last or 0), 0), size
    else:
        end = size if last is None else min(last + 1, size)
    if first >= end:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "range-not-satisfiable",
            f"the file has {size:,} bytes, and none of them is in the range.",
            "Ask for a part of it.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return first, end
