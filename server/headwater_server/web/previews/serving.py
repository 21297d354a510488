"""The bytes of an image, for a page that shows it: told as what it begins as, and never as anything that could run."""

from fastapi import Request, Response
from headwater_blobs.port import ContentReads
from headwater_consumer.queries import EntryInfo
from headwater_schemas import digests

from headwater_server.http.answering import has
from headwater_server.web.previews.contents import Contents
from headwater_server.web.previews.images import HEAD_BYTES, IMAGE_BYTES_MAX, image_of

_FIXED = {
    "Cache-Control": "private, no-cache",
    "Content-Disposition": "inline",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
}


def serve_image(request: Request, blobs: ContentReads, entry: EntryInfo) -> Response | None:
    """The image that an entry is; None where it is none, or one that is not shown. Raises: StoreError, BlobCorrupt."""
    contents = Contents(blobs, entry)
    if contents.size > IMAGE_BYTES_MAX:
        return None
    image = image_of(contents.read(0, HEAD_BYTES))
    if image is None or not image.is_drawable:
        return None
    assert entry.digest is not None
    headers = {**_FIXED, "ETag": f'"{digests.to_text(entry.digest)}"'}
    if has(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(None, 304, headers)
    return Response(contents.read(0, contents.size), 200, headers, image.media_type)
