"""Ranges of objects, fetched with patience: a connection that breaks is made again where it broke.

MinIO answers HEAD for a rotten object as if nothing were wrong, and breaks off in the middle of its bytes. So an object
whose bytes stop at the same place again and again, while the server answers, is damaged.
"""

import os
from collections.abc import Iterator

from headwater_runtime.retries import Backoff
from headwater_schemas.errors import BlobCorrupt, ContentError
from minio.error import S3Error
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from headwater_blobs import verify
from headwater_blobs.port import CHUNK_BYTES
from headwater_blobs.s3.answers import as_our_errors, is_missing
from headwater_blobs.s3.client import Line

# Attempts in a row at the same byte; a server that went away refuses the next connection instead.
BREAKS = Backoff(pause_s_min=0.2, pause_s_max=0.6, attempts_max=4)
_BEYOND_THE_END = "InvalidRange"


def size_of(line: Line, name: str) -> int | None:
    """The size of an object, None where there is none. Raises: StoreUnavailable."""
    with as_our_errors(line.settings):
        try:
            return line.client.stat_object(line.settings.bucket, name).size
        except S3Error as error:
            if is_missing(error):
                return None
            raise


def fetch(line: Line, name: str, offset: int, size: int) -> bytes:
    """`size` bytes from `offset`, or what there is of them. Raises: as `pieces_of`."""
    return b"".join(pieces_of(line, name, offset, size))


def pieces_of(line: Line, name: str, offset: int, size: int) -> Iterator[bytes]:
    """`size` bytes from `offset`, or what there is of them, in pieces of at most CHUNK_BYTES.

    A child that was forked meanwhile goes on where its parent was, over a connection of its own.
    Raises: BlobMissing, BlobCorrupt, StoreUnavailable.
    """
    at, end, retries = offset, offset + size, BREAKS.start()
    if not size and size_of(line, name) is None:
        raise verify.missing(name, str(line.settings))
    while at < end:
        process = os.getpid()
        response = _get(line, name, at, end - at)
        if response is None:
            return
        try:
            while piece := response.read(CHUNK_BYTES, decode_content=False):
                at += len(piece)
                retries.reset()
                yield piece
                if os.getpid() != process:  # the connection is the parent's
                    break
            else:
                return  # all that there is
        except HTTPError as error:
            if not retries.pause():
                raise _broken_off(retries.failures, line, name, at) from error
        finally:
            response.close()
            response.release_conn()


def _get(line: Line, name: str, offset: int, size: int) -> BaseHTTPResponse | None:
    """What answers for a range, None when all of it lies beyond the object's end."""
    with as_our_errors(line.settings, name):
        try:
            return line.client.get_object(line.settings.bucket, name, offset, size)
        except S3Error as error:
            if error.code == _BEYOND_THE_END:
                return None
            raise


def _broken_off(breaks: int, line: Line, name: str, at: int) -> ContentError:
    """The error for an object that breaks off at one byte. Raises: StoreUnavailable when the server does not answer."""
    if size_of(line, name) is None:
        return verify.missing(name, str(line.settings))
    return BlobCorrupt(
        f"object {name!r} in {line.settings} is damaged: the server broke off at byte {at:,}, {breaks} times. "
        "Run `headwater doctor --content` to list all that is damaged, and restore it from a copy of the store."
    )
