"""Ranges of objects: where a connection breaks, the rest is requested again.

MinIO answers HEAD for a damaged object as if nothing were wrong, and breaks off in the middle of its bytes. So an
object whose bytes repeatedly end at the same offset, while the server answers, is damaged. For one whose metadata is
damaged it answers every request with 500, and listings leave it out.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

from headwater_runtime.retries import Backoff
from headwater_schemas.errors import BlobCorrupt, BlobMissing, ContentError
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from headwater_blobs import verify
from headwater_blobs.port import CHUNK_BYTES, UNREADABLE
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.errors import is_missing, translate_errors
from headwater_blobs.s3.minio_client import S3Error, ServerError

# Attempts in a row at the same byte; a server that is down refuses the next connection instead.
BREAKS = Backoff(pause_s_min=0.2, pause_s_max=0.6, attempts_max=4)
# For an object that was found damaged in this way: a pack has thousands of contents, and each is read again.
BREAKS_AGAIN = replace(BREAKS, attempts_max=1)
DAMAGED_KNOWN_MAX = 1024  # objects
_BEYOND_THE_END = "InvalidRange"


def size_of(bucket_client: BucketClient, name: str) -> int | None:
    """The size of an object, None where there is none, UNREADABLE where the server fails on this one.

    Raises: StoreUnavailable.
    """
    client, settings = bucket_client.client, bucket_client.settings
    with translate_errors(settings):
        try:
            return client.stat_object(settings.bucket, settings.key_of(name)).size
        except S3Error as error:
            if is_missing(error):
                return None
            raise
        except ServerError:
            client.bucket_exists(settings.bucket)  # raises where the server fails on everything
            return UNREADABLE


def fetch(bucket_client: BucketClient, name: str, offset: int, size: int) -> bytes:
    """`size` bytes from `offset`, fewer at the end of the object. Raises: as `pieces_of`."""
    return b"".join(pieces_of(bucket_client, name, offset, size))


def pieces_of(bucket_client: BucketClient, name: str, offset: int, size: int) -> Iterator[bytes]:
    """`size` bytes from `offset`, fewer at the end of the object, in pieces of at most CHUNK_BYTES.

    A child that is forked meanwhile continues at the same byte, over a connection of its own.
    Raises: BlobMissing, BlobCorrupt, StoreUnavailable.
    """
    at, end = offset, offset + size
    retries = (BREAKS_AGAIN if name in bucket_client.damaged else BREAKS).start()
    if not size and size_of(bucket_client, name) is None:
        raise missing(bucket_client, name)
    while at < end:
        process = os.getpid()
        response = _get(bucket_client, name, at, end - at)
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
                return  # the end of the object
        except HTTPError as error:
            if not retries.pause():
                raise _broken_off(retries.failures, bucket_client, name, at) from error
        finally:
            response.close()
            response.release_conn()


def missing(bucket_client: BucketClient, name: str) -> BlobMissing:
    """The error for an object that does not exist."""
    return verify.missing(bucket_client.settings.key_of(name), str(bucket_client.settings))


def _get(bucket_client: BucketClient, name: str, offset: int, size: int) -> BaseHTTPResponse | None:
    """The response for a range, None when all of it is beyond the object's end."""
    settings = bucket_client.settings
    with translate_errors(settings, name):
        try:
            return bucket_client.client.get_object(settings.bucket, settings.key_of(name), offset, size)
        except S3Error as error:
            if error.code == _BEYOND_THE_END:
                return None
            raise


def _broken_off(breaks: int, bucket_client: BucketClient, name: str, at: int) -> ContentError:
    """The error for an object that breaks off at one byte. Raises: StoreUnavailable when the server does not answer."""
    if size_of(bucket_client, name) is None:
        return missing(bucket_client, name)
    if len(bucket_client.damaged) >= DAMAGED_KNOWN_MAX:
        bucket_client.damaged.clear()
    bucket_client.damaged.add(name)
    often = f", {breaks} times" if breaks > 1 else ""
    return BlobCorrupt(
        f"{bucket_client.settings.shown(name)} is damaged: the server broke off at byte {at:,}{often}. "
        "Run `headwater doctor --verify` to list all damaged objects, and restore them from a copy of the store."
    )
