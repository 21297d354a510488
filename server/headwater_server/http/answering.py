"""JSON answers: each with an ETag of its bytes, not sent again to who has them, compressed for who can read that."""

import gzip
from http import HTTPStatus

from blake3 import blake3
from fastapi import Request, Response
from pydantic import BaseModel

from headwater_server.http.encodings import takes_gzip

COMPRESSED_BYTES_MIN = 1024  # what is shorter fits a packet anyway
COMPRESSION_LEVEL = 5
ETAG_DIGITS = 32

_FIXED = {
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Encoding, Authorization",
    "X-Content-Type-Options": "nosniff",
}


def answer(
    request: Request, model: BaseModel, *, next_page: str | None = None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """The answer that has `model` as JSON. `next_page`: the query of the URL of the next page."""
    body = model.__pydantic_serializer__.to_json(model)
    headers = dict(_FIXED)
    if next_page is not None:
        headers["Link"] = f'<?{next_page}>; rel="next"'
    return packed(request, body, "application/json", headers, status)


def packed(
    request: Request, body: bytes, media_type: str, headers: dict[str, str], status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """An answer with this body. `headers` are added to."""
    tag = blake3(body).hexdigest(ETAG_DIGITS // 2)
    compresses = len(body) >= COMPRESSED_BYTES_MIN and takes_gzip(request.headers.get("accept-encoding", ""))
    headers["ETag"] = etag = f'"{tag}-gzip"' if compresses else f'"{tag}"'
    if status is HTTPStatus.OK and has(request.headers.get("if-none-match"), etag):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    if compresses:
        body = gzip.compress(body, COMPRESSION_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type)


def has(if_none_match: str | None, etag: str) -> bool:
    """Whether a client that sent this If-None-Match has what `etag` names (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    listed = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return "*" in listed or etag in listed
