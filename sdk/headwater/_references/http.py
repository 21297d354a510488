"""Files on web servers: what they say of themselves, and their bytes.

Redirects are followed by hand, because where they lead is judged: never from https to http, never to user info, and
not for ever. What is recorded is the address that was given.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from headwater_schemas.entries import Reference
from headwater_schemas.errors import HeadwaterError, InvalidInput, NotFound, StoreUnavailable
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError, ProtocolError
from urllib3.response import BaseHTTPResponse

from headwater._references import checking, connections
from headwater._references.found import Found, Listing
from headwater._references.uris import is_web_address, name_in, shown

REDIRECTS_MAX = 10  # browsers follow 20; more than a few are a loop

_AS_IT_IS = {"Accept-Encoding": "identity", "User-Agent": "headwater"}  # compressed on the way, it has another size
_FIRST_BYTE = {**_AS_IT_IS, "Range": "bytes=0-0"}
_TOTAL = re.compile(r"bytes (?:\*|(\d+)-\d+)/(\d+|\*)")
# Refusals that may be of HEAD alone: some say so, some only let GET through, some signed addresses are for GET.
_PERHAPS_FOR_HEAD = (400, 401, 403, 404, 405, 406, 410, 501)
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)


def look_up(uri: str, _objects_max: int) -> Listing:
    """One file, with the ETag and the size that its server gives."""
    answer = _ask_head(uri) or _ask("GET", uri, _FIRST_BYTE)
    answer.close()  # the body of a server that ignores ranges is not read
    is_empty = answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE  # it has no first byte
    if answer.status >= HTTPStatus.BAD_REQUEST and not is_empty:
        raise _refusal(uri, answer.status)
    found = Found(name_in(uri), uri, checking.typed_etag(answer.headers.get("ETag")), _size_of(answer), None)
    return Listing([found], is_prefix=False)


def pieces_of(reference: Reference) -> Iterator[bytes]:
    """The file's bytes. Raises: ReferenceChanged as soon as headers say that it is another one."""
    what = shown(reference.uri)
    first_etag: str | None = None

    def open_at(at: int) -> BaseHTTPResponse:
        nonlocal first_etag
        answer = _ask("GET", reference.uri, {**_AS_IT_IS, "Range": f"bytes={at}-"} if at else _AS_IT_IS)
        try:
            _check_answer(reference, answer)
            etag = checking.typed_etag(answer.headers.get("ETag"))
            if at and not (checking.is_strong(etag) and etag == first_etag and _starts_at(answer, at)):
                raise connections.broke_off(what, at)  # what comes now need not be the rest of what came
        except HeadwaterError:
            answer.close()
            raise
        first_etag = etag
        return answer

    return connections.pieces(open_at, what)


def _check_answer(reference: Reference, answer: BaseHTTPResponse) -> None:
    if answer.status in _GONE:
        raise checking.missing(reference, "a file")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _refusal(reference.uri, answer.status)
    checking.check_etag(reference, checking.typed_etag(answer.headers.get("ETag")))
    checking.check_size(reference, _size_of(answer))


def _ask_head(uri: str) -> BaseHTTPResponse | None:
    """The answer to HEAD, None from a server that does not do it well.

    Some refuse it, some break off, and some answer without a length, or with that of the body that HEAD has not.
    """
    try:
        answer = _ask("HEAD", uri, _AS_IT_IS)
    except StoreUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, MaxRetryError) and isinstance(cause.reason, ProtocolError):
            return None
        raise
    says_nothing = answer.status < HTTPStatus.BAD_REQUEST and not connections.length_of(answer)
    return None if says_nothing or answer.status in _PERHAPS_FOR_HEAD else answer


def _ask(method: str, uri: str, headers: dict[str, str]) -> BaseHTTPResponse:
    """The answer of whoever has the file in the end. Raises: StoreUnavailable, InvalidInput."""
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
            connections.refuse(shown(at), error)
        location = answer.get_redirect_location()
        if not location:
            return answer
        answer.close()
        at = _followed(uri, at, location)
    raise StoreUnavailable(f"{shown(uri)} leads on more than {REDIRECTS_MAX} times. Give the address that it ends at.")


def _followed(uri: str, at: str, location: str) -> str:
    target = urljoin(at, location)
    _check_host(uri, target)
    parts = urlsplit(target)
    if "@" in parts.netloc:
        raise StoreUnavailable(f"{shown(uri)} leads on to an address with a user or password. Give another address.")
    if urlsplit(at).scheme == "https" and parts.scheme == "http":
        raise StoreUnavailable(
            f"{shown(uri)} leads on from https to {shown(target)}, where everybody could change it on the way. "
            "Give an address that stays with https."
        )
    return target


def _check_host(uri: str, address: str) -> None:
    """Raises: InvalidInput unless `address`, `uri` itself or where it leads, is one of a web server."""
    if not is_web_address(address):
        raise _no_host(uri)


def _no_host(uri: str) -> InvalidInput:
    return InvalidInput(f"{shown(uri)} is not, or leads to what is not, an address like https://host/path. Correct it.")


def _size_of(answer: BaseHTTPResponse) -> int | None:
    """The size of the whole file, however little of it was asked for."""
    if answer.status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        total = _TOTAL.match(answer.headers.get("Content-Range", ""))
        return connections.number(total[2]) if total else None
    return connections.length_of(answer)


def _starts_at(answer: BaseHTTPResponse, at: int) -> bool:
    found = _TOTAL.match(answer.headers.get("Content-Range", ""))
    return answer.status == HTTPStatus.PARTIAL_CONTENT and found is not None and found[1] == str(at)


def _refusal(uri: str, status: int) -> HeadwaterError:
    if status in _GONE:
        return NotFound(f"{shown(uri)} is not there: its server answers {status}. Check the spelling of the URI.")
    if status in _REFUSED:
        return StoreUnavailable(
            f"{shown(uri)}: its server refuses without a login ({status}). Only what can be read without one can be "
            "looked up; add it with checksum=False to keep the address alone."
        )
    return StoreUnavailable(f"{shown(uri)}: its server answers {status}. Try later, or check the address.")
