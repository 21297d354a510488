"""Connections to third-party servers: time-outs, retries, proxies, and resuming interrupted bodies.

The numbers are those of the blob store's own connections, with two exceptions: no server here copies gigabytes before
the first byte of its answer, and "too many requests" is common.
"""

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NoReturn

import certifi
from headwater_blobs.port import CHUNK_BYTES
from headwater_blobs.s3.client import BACKOFF_S, CONNECT_S_MAX, RETRIES
from headwater_blobs.s3.errors import describe_failure
from headwater_blobs.s3.reading import BREAKS
from headwater_runtime.proxies import UnsupportedProxy, connection_pool, proxy_for
from headwater_schemas.errors import InvalidSettings, StoreUnavailable
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

ANSWER_S_MAX = 30.0  # between two bytes
SILENT_RETRIES = 2  # when a server accepts a request and does not answer: more would take minutes

_POOLS_MAX = 16  # one for each proxy and each list of authorities
_SIZE_DIGITS_MAX = 18  # of a size in bytes: always fits into 64 bits
_BUSY = (429, 500, 502, 503, 504)


def pool_for(address: str, authorities: str | None = None) -> PoolManager:
    """This process's connections to `address`, through the proxy that `HTTPS_PROXY` and the like set for it.

    `authorities` is a file of trusted certificates, if not the default one.
    """
    file = authorities or os.environ.get("SSL_CERT_FILE") or certifi.where()
    try:
        proxy = proxy_for(address)
    except UnsupportedProxy as error:
        raise InvalidSettings(str(error)) from error
    return _pool(proxy, file, ANSWER_S_MAX, os.getpid())


def stream_body(open_at: Callable[[int], BaseHTTPResponse], what: str) -> Iterator[bytes]:
    """A body in pieces of at most CHUNK_BYTES; when it is interrupted, `open_at` requests the rest from there.

    Raises: StoreUnavailable when it is interrupted repeatedly at one position, and what `open_at` raises.
    """
    at, retries = 0, BREAKS.start()
    while True:
        response = open_at(at)
        try:
            while piece := response.read(CHUNK_BYTES, decode_content=False):
                at += len(piece)
                retries.reset()
                yield piece
            return
        except HTTPError as error:
            if not retries.pause():
                raise interrupted(what, at, error) from error
        finally:
            response.close()
            response.release_conn()


def content_length(answer: BaseHTTPResponse) -> int | None:
    """The length that an answer declares, None where it does not."""
    return parse_size(answer.headers.get("Content-Length", ""))


def parse_size(text: str) -> int | None:
    """The size in a header, None where it is not a number that can be recorded."""
    is_size = text.isascii() and text.isdigit() and len(text) <= _SIZE_DIGITS_MAX
    return int(text) if is_size else None


def interrupted(what: str, at: int, error: HTTPError | None = None) -> StoreUnavailable:
    """The error for a body that ended early."""
    reason = f" ({describe_failure(error)})" if error else ""
    return StoreUnavailable(
        f"{what}: the transfer broke off at byte {at:,}{reason}. Try again; if it keeps failing, check the server."
    )


def raise_unavailable(what: str, error: HTTPError) -> NoReturn:
    """Raises: StoreUnavailable with the reason why there was no answer."""
    raise StoreUnavailable(
        f"{what}: {describe_failure(error)}. Check the address, the server, the network and any proxy."
    ) from error


@lru_cache(_POOLS_MAX)
def _pool(proxy: str | None, authorities: str, answer_s_max: float, _process: int) -> PoolManager:
    """Cached per process, so that connections do not cross a fork."""
    retry = Retry(
        total=RETRIES,
        read=SILENT_RETRIES,
        redirect=False,  # the caller checks each redirect
        backoff_factor=BACKOFF_S,
        status_forcelist=_BUSY,
        allowed_methods=None,  # all requests are read-only
        raise_on_status=False,  # the last answer says more than "too many retries"
        respect_retry_after_header=False,  # it may ask for hours
    )
    timeout = Timeout(connect=CONNECT_S_MAX, read=answer_s_max)
    return connection_pool(proxy, timeout=timeout, retries=retry, authorities=authorities)
