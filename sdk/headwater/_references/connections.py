"""Connections to servers of others: time-outs, retries, proxies, and patience with bodies that break off.

The numbers are those of the blob store's own connections, with two exceptions: nobody here copies gigabytes before the
first byte of an answer, and many more servers say "too many requests".
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
SILENT_RETRIES = 2  # after a server that took a request and gave no answer to it: more would take minutes

_POOLS_MAX = 16  # one for each proxy and each list of authorities
_SIZE_DIGITS_MAX = 18  # of bytes: what fits into 64 bits in any case
_BUSY = (429, 500, 502, 503, 504)


def pool_for(address: str, authorities: str | None = None) -> PoolManager:
    """The connections of this process to `address`, through the proxy that `HTTPS_PROXY` and the like name for it.

    `authorities` is a file of certificates to trust, where it is not the usual one.
    """
    file = authorities or os.environ.get("SSL_CERT_FILE") or certifi.where()
    try:
        proxy = proxy_for(address)
    except UnsupportedProxy as error:
        raise InvalidSettings(str(error)) from error
    return _pool(proxy, file, ANSWER_S_MAX, os.getpid())


def pieces(open_at: Callable[[int], BaseHTTPResponse], what: str) -> Iterator[bytes]:
    """A body in pieces of at most CHUNK_BYTES; where it breaks off, `open_at` is asked for the rest from there.

    Raises: StoreUnavailable when it breaks off at one place again and again, and what `open_at` raises.
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
                raise broke_off(what, at, error) from error
        finally:
            response.close()
            response.release_conn()


def length_of(answer: BaseHTTPResponse) -> int | None:
    """The bytes that an answer says it has, None where it does not say."""
    return number(answer.headers.get("Content-Length", ""))


def number(text: str) -> int | None:
    """A size in a header, None where it is none, or none that can be recorded."""
    is_size = text.isascii() and text.isdigit() and len(text) <= _SIZE_DIGITS_MAX
    return int(text) if is_size else None


def broke_off(what: str, at: int, error: HTTPError | None = None) -> StoreUnavailable:
    """The error for a body that ended too early."""
    reason = f" ({describe_failure(error)})" if error else ""
    return StoreUnavailable(f"{what} broke off at byte {at:,}{reason}. Try again; if it stays, look at its server.")


def refuse(what: str, error: HTTPError) -> NoReturn:
    """Raises: StoreUnavailable that says why there was no answer."""
    raise StoreUnavailable(
        f"{what}: {describe_failure(error)}. Check the address, that its server runs, and the network "
        "and any proxy in between."
    ) from error


@lru_cache(_POOLS_MAX)
def _pool(proxy: str | None, authorities: str, answer_s_max: float, _process: int) -> PoolManager:
    """A process of its own has connections of its own."""
    retry = Retry(
        total=RETRIES,
        read=SILENT_RETRIES,
        redirect=False,  # where an answer leads is judged by who asked
        backoff_factor=BACKOFF_S,
        status_forcelist=_BUSY,
        allowed_methods=None,  # nothing here changes anything
        raise_on_status=False,  # the last answer says more than that there were too many
        respect_retry_after_header=False,  # which may name hours
    )
    timeout = Timeout(connect=CONNECT_S_MAX, read=answer_s_max)
    return connection_pool(proxy, timeout=timeout, retries=retry, authorities=authorities)
