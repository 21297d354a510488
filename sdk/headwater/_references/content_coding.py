"""Bodies that a server compresses although it was asked for plain ones.

What is recorded and downloaded is the file, so such a body is unpacked. Its length and ranges are those of the packed
form, and say nothing about the file. A file that is stored packed (`labels.csv.gz`) stays as it is, although some
servers call its format the coding of the transfer.
"""

import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from headwater_blobs.port import CHUNK_BYTES
from headwater_schemas.errors import StoreUnavailable
from urllib3.response import BaseHTTPResponse

from headwater._references.uris import redacted

_GZIP_CODINGS = ("gzip", "x-gzip")
_GZIP_TYPES = ("application/gzip", "application/x-gzip", "application/x-tar-gz", "application/x-compressed-tar")
_GZIP_SUFFIXES = (".gz", ".tgz", ".svgz")
_GZIP_WINDOW = zlib.MAX_WBITS | 16  # as `zlib` spells: a gzip header


def is_packed(answer: BaseHTTPResponse, uri: str) -> bool:
    """Whether the body is the file in gzip. Raises: StoreUnavailable for any other coding."""
    coding = answer.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        return False
    if coding not in _GZIP_CODINGS:
        raise StoreUnavailable(
            f"{redacted(uri)}: the server compresses the content as {coding[:40]!r} although it was asked not to, and "
            "only gzip is unpacked. Turn compression off for this address, or use another one."
        )
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return not (kind in _GZIP_TYPES or urlsplit(uri).path.lower().endswith(_GZIP_SUFFIXES))


def unpacked(pieces: Iterator[bytes], what: str) -> Iterator[bytes]:
    """Gzip, unpacked in pieces of bounded size. Raises: StoreUnavailable where it is damaged or ends early."""
    decoder = None
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if decoder is None or decoder.eof:  # the next member
                    decoder = zlib.decompressobj(_GZIP_WINDOW)
                yield decoder.decompress(rest, CHUNK_BYTES)
                rest = decoder.unconsumed_tail or decoder.unused_data
        if decoder is not None:
            yield decoder.flush()
    except zlib.error as error:
        raise _damaged(what) from error
    if decoder is not None and not decoder.eof:
        raise _damaged(what)


def _damaged(what: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{what}: the server compressed the content, and what it sent is not whole. Try again; if it keeps failing, "
        "turn compression off for this address."
    )
