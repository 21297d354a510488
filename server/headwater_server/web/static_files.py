"""The page's own style sheets and scripts: read once, compressed once, and kept by browsers as long as they are these.

Their address has a digest of all of them, so that scripts which import each other are always of one release.
"""

import gzip
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files

from blake3 import blake3
from fastapi import Request, Response

from headwater_server.http.answering import COMPRESSED_BYTES_MIN, has
from headwater_server.http.encodings import takes_gzip
from headwater_server.http.problems import not_found
from headwater_server.web import addresses

FOLDER = "static"
FOR_EVER = "public, max-age=31536000, immutable"
ASKED_EACH_TIME = "no-cache"
DIGEST_DIGITS = 16
_COMPRESSION_LEVEL = 9
_MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One of them."""

    media_type: str
    body: bytes
    compressed: bytes | None  # None where that is of no use

    @property
    def etag(self) -> str:
        return blake3(self.body).hexdigest(DIGEST_DIGITS // 2)


@cache
def static_files() -> dict[str, StaticFile]:
    """All, by the path below their folder."""
    found: dict[str, StaticFile] = {}
    waiting = [("", files(__package__) / FOLDER)]
    while waiting:
        name, place = waiting.pop()
        if place.is_dir():
            waiting += [(f"{name}/{inner.name}".lstrip("/"), inner) for inner in place.iterdir()]
        elif media_type := _MEDIA_TYPES.get(name.rpartition(".")[2]):
            found[name] = _static_file(media_type, place.read_bytes())
    return found


@cache
def digest() -> str:
    """Of all of them together."""
    hasher = blake3()
    for name, file in sorted(static_files().items()):
        hasher.update(f"{name} {len(file.body)} ".encode() + file.body)
    return hasher.hexdigest(DIGEST_DIGITS // 2)


def static(name: str) -> str:
    """The address of one of them."""
    assert name in static_files(), name
    return f"{addresses.STATIC}/{digest()}/{name}"


def serve_static(request: Request, release: str, name: str) -> Response:
    """One of them; kept only by who asked for those of this release. Raises: Problem."""
    file = static_files().get(name)
    if file is None:
        raise not_found("file of this name")
    headers = {
        "Cache-Control": FOR_EVER if release == digest() else ASKED_EACH_TIME,
        "Vary": "Accept-Encoding",
        "ETag": f'"{file.etag}"',
    }
    body = file.body
    if file.compressed is not None and takes_gzip(request.headers.get("accept-encoding", "")):
        body = file.compressed
        headers |= {"Content-Encoding": "gzip", "ETag": f'"{file.etag}-gzip"'}
    if has(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    return Response(body, HTTPStatus.OK, headers, file.media_type)


def _static_file(media_type: str, body: bytes) -> StaticFile:
    compressed = gzip.compress(body, _COMPRESSION_LEVEL, mtime=0) if len(body) >= COMPRESSED_BYTES_MIN else None
    return StaticFile(media_type, body, compressed)
