"""Files on web servers: their ETag and size, and their bytes.

A look-up asks for the first byte, not by HEAD: servers answer the two differently, and a download is a GET too.
Redirects are followed by hand to check each target: never from https to http, never to an address with user info, and
only a few times. The recorded address is the one that was given.
"""

import re
import string
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain
from urllib.parse import quote, urljoin, urlsplit

from headwater_schemas.entries import Reference
from headwater_schemas.errors import HeadwaterError, InvalidInput, NotFound, StoreUnavailable
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.response import BaseHTTPResponse

from headwater._references import connections, verification
from headwater._references.content_coding import is_packed, unpacked
from headwater._references.listing import FoundObject, Listing
from headwater._references.uris import is_web_address, name_from_uri, redacted

REDIRECTS_MAX = 10  # browsers follow 20; more than a few are a loop

_IDENTITY = {"Accept-Encoding": "identity", "User-Agent": "headwater"}  # a compressed transfer would change the size
_FIRST_BYTE = {**_IDENTITY, "Range": "bytes=0-0"}
_TOTAL = re.compile(r"bytes (?:\*|(\d+)-\d+)/(\d+|\*)")
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)


def look_up(uri: str, _objects_max: int) -> Listing:
    """One file, with the ETag and the size that its server gives."""
    answer = _ask("GET", uri, _FIRST_BYTE)
    answer.close()  # not reading the body, which is whole if the server ignores ranges
    is_empty = answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE  # there is no first byte
    if answer.status >= HTTPStatus.BAD_REQUEST and not is_empty:
        raise _refusal(uri, answer.status)
    etag = verification.typed_etag(answer.headers.get("ETag"))
    return Listing([FoundObject(name_from_uri(uri), uri, etag, _size_of(answer, uri), None)], is_prefix=False)


def pieces_of(reference: Reference) -> Iterator[bytes]:
    """The file's bytes. Raises: ReferenceChanged as soon as headers show that the file is another one."""
    what = redacted(reference.uri)
    body = _Body(reference)
    pieces = connections.stream_body(body.open_at, what)
    first = next(pieces, b"")  # only now is there an answer
    whole = chain([first], pieces)
    yield from unpacked(whole, what) if body.is_packed else whole


class _Body:
    """The body of one file, which may come in several answers."""

    def __init__(self, reference: Reference) -> None:
        self.is_packed = False
        self._reference = reference
        self._etag: str | None = None  # of the first answer

    def open_at(self, at: int) -> BaseHTTPResponse:
        """The answer from this byte of the body on. Raises: as `pieces_of`; StoreUnavailable."""
        reference = self._reference
        answer = _ask("GET", reference.uri, {**_IDENTITY, "Range": f"bytes={at}-"} if at else _IDENTITY)
        try:
            _check_answer(reference, answer)
            etag, packed = verification.typed_etag(answer.headers.get("ETag")), is_packed(answer, reference.uri)
            if at and not (self._is_that(etag, packed) and _starts_at(answer, at)):
                raise connections.interrupted(redacted(reference.uri), at)  # it may not continue the first answer
        except HeadwaterError:
            answer.close()
            raise
        self._etag, self.is_packed = etag, packed
        return answer

    def _is_that(self, etag: str | None, packed: bool) -> bool:
        return verification.is_strong(etag) and (etag, packed) == (self._etag, self.is_packed)


def _check_answer(reference: Reference, answer: BaseHTTPResponse) -> None:
    if answer.status in _GONE:
        raise verification.missing_error(reference, "a file")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _refusal(reference.uri, answer.status)
    verification.check_etag(reference, verification.typed_etag(answer.headers.get("ETag")))
    verification.check_size(reference, _size_of(answer, reference.uri))


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
    target = urljoin(at, _percent_encoded(location))
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


def _percent_encoded(location: str) -> str:
    """A location as browsers read it: bytes outside ASCII, which many servers send as they are, are percent-encoded."""
    return quote(location.encode("latin-1"), safe=string.punctuation)  # the client reads all headers as Latin-1


def _check_host(uri: str, address: str) -> None:
    """Raises: InvalidInput unless `address`, which is `uri` or a redirect from it, is that of a web server."""
    if not is_web_address(address):
        raise _no_host(uri)


def _no_host(uri: str) -> InvalidInput:
    return InvalidInput(f"{redacted(uri)} is not an address like https://host/path, or redirects to none. Correct it.")


def _size_of(answer: BaseHTTPResponse, uri: str) -> int | None:
    """The size of the whole file, also in the answer to a range request; None where it comes packed."""
    if is_packed(answer, uri):
        return None
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
