"""Files on web servers: their ETag and size, and their bytes.

Redirects are followed by hand to check each target: never from https to http, never to an address with user info, and
only a few times. The recorded address is the one that was given.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from headwater_schemas.entries import Reference
from headwater_schemas.errors import HeadwaterError, InvalidInput, NotFound, StoreUnavailable
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError, ProtocolError
from urllib3.response import BaseHTTPResponse

from headwater._references import connections, verification
from headwater._references.listing import FoundObject, Listing
from headwater._references.uris import is_web_address, name_from_uri, redacted

REDIRECTS_MAX = 10  # browsers follow 20; more than a few are a loop

_IDENTITY = {"Accept-Encoding": "identity", "User-Agent": "headwater"}  # a compressed transfer would change the size
_FIRST_BYTE = {**_IDENTITY, "Range": "bytes=0-0"}
_TOTAL = re.compile(r"bytes (?:\*|(\d+)-\d+)/(\d+|\*)")
# Statuses that may concern HEAD alone: some servers allow only GET, and some signed addresses are for GET.
_MAYBE_HEAD_ONLY = (400, 401, 403, 404, 405, 406, 410, 501)
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)


def look_up(uri: str, _objects_max: int) -> Listing:
    """One file, with the ETag and the size that its server gives."""
    answer = _ask_head(uri) or _ask("GET", uri, _FIRST_BYTE)
    answer.close()  # not reading the body, which is whole if the server ignores ranges
    is_empty = answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE  # there is no first byte
    if answer.status >= HTTPStatus.BAD_REQUEST and not is_empty:
        raise _refusal(uri, answer.status)
    found = FoundObject(
        name_from_uri(uri), uri, verification.typed_etag(answer.headers.get("ETag")), _size_of(answer), None
    )
    return Listing([found], is_prefix=False)


def pieces_of(reference: Reference) -> Iterator[bytes]:
    """The file's bytes. Raises: ReferenceChanged as soon as headers show that the file is another one."""
    what = redacted(reference.uri)
    first_etag: str | None = None

    def open_at(at: int) -> BaseHTTPResponse:
        nonlocal first_etag
        answer = _ask("GET", reference.uri, {**_IDENTITY, "Range": f"bytes={at}-"} if at else _IDENTITY)
        try:
            _check_answer(reference, answer)
            etag = verification.typed_etag(answer.headers.get("ETag"))
            if at and not (verification.is_strong(etag) and etag == first_etag and _starts_at(answer, at)):
                raise connections.interrupted(what, at)  # this answer may not continue the interrupted one
        except HeadwaterError:
            answer.close()
            raise
        first_etag = etag
        return answer

    return connections.stream_body(open_at, what)


def _check_answer(reference: Reference, answer: BaseHTTPResponse) -> None:
    if answer.status in _GONE:
        raise verification.missing_error(reference, "a file")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _refusal(reference.uri, answer.status)
    verification.check_etag(reference, verification.typed_etag(answer.headers.get("ETag")))
    verification.check_size(reference, _size_of(answer))


def _ask_head(uri: str) -> BaseHTTPResponse | None:
    """The answer to HEAD, None from a server that does not support it properly.

    Some refuse it, some close the connection, and some answer without a length, or with that of an empty body.
    """
    try:
        answer = _ask("HEAD", uri, _IDENTITY)
    except StoreUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, MaxRetryError) and isinstance(cause.reason, ProtocolError):
            return None
        raise
    says_nothing = answer.status < HTTPStatus.BAD_REQUEST and not connections.content_length(answer)
    return None if says_nothing or answer.status in _MAYBE_HEAD_ONLY else answer


def _ask(method: str, uri: str, headers: dict[str, str]) -> BaseHTTPResponse:
    """The answer after following redirects. Raises: StoreUnavailable, InvalidInput."""
    _check_host(uri, uri)
    at = uri
    for _ in range(REDIRECTS_MAX + 1):
        try:
            answer = connections.pool_for(at).request(
                method, at, headers=headers, redirect=False, preload_content=False
            )
        except LocationParseError as error:
            raise _no_host(uri) from error
        except HTTPError as error:
            connections.raise_unavailable(redacted(at), error)
        location = answer.get_redirect_location()
        if not location:
            return answer
        answer.close()
        at = _redirect_target(uri, at, location)
    raise StoreUnavailable(f"{redacted(uri)} redirects more than {REDIRECTS_MAX} times. Use the final address.")


def _redirect_target(uri: str, at: str, location: str) -> str:
    target = urljoin(at, location)
    _check_host(uri, target)
    parts = urlsplit(target)
    if "@" in parts.netloc:
        raise StoreUnavailable(f"{redacted(uri)} redirects to an address with a user or password. Use another address.")
    if urlsplit(at).scheme == "https" and parts.scheme == "http":
        raise StoreUnavailable(
            f"{redacted(uri)} redirects from https to {redacted(target)}, where the content could be tampered with. "
            "Use an address that stays on https."
        )
    return target


def _check_host(uri: str, address: str) -> None:
    """Raises: InvalidInput unless `address`, which is `uri` or a redirect from it, is that of a web server."""
    if not is_web_address(address):
        raise _no_host(uri)


def _no_host(uri: str) -> InvalidInput:
    return InvalidInput(f"{redacted(uri)} is not an address like https://host/path, or redirects to none. Correct it.")


def _size_of(answer: BaseHTTPResponse) -> int | None:
    """The size of the whole file, also in the answer to a range request."""
    if answer.status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        total = _TOTAL.match(answer.headers.get("Content-Range", ""))
        return connections.parse_size(total[2]) if total else None
    return connections.content_length(answer)


def _starts_at(answer: BaseHTTPResponse, at: int) -> bool:
    found = _TOTAL.match(answer.headers.get("Content-Range", ""))
    return answer.status == HTTPStatus.PARTIAL_CONTENT and found is not None and found[1] == str(at)


def _refusal(uri: str, status: int) -> HeadwaterError:
    if status in _GONE:
        return NotFound(f"{redacted(uri)} does not exist: the server returned {status}. Check the URI.")
    if status in _REFUSED:
        return StoreUnavailable(
            f"{redacted(uri)}: the server requires a login ({status}). Only public addresses can be checked; use "
            "checksum=False to record the address without checking it."
        )
    return StoreUnavailable(f"{redacted(uri)}: the server returned {status}. Try again later, or check the address.")
