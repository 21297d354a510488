"""Look up and fetch URIs by the module of their scheme.

    http, https    `http`: one file
    s3             `s3`: an object, or all objects under a prefix
    gs             `gs`: the same in Google Cloud Storage; needs the extra `gs`
    file           `local`: a file, or all files below a folder

Any other URI is recorded as it is, without a request, and cannot be fetched. What is recorded of an object is what its
server says of it (`FoundObject`); `fetch` gives exactly those bytes, or raises. Credentials are read where each cloud's
own tools read them, when they are needed; they are in no URI, no record and no message.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from operator import index
from typing import Protocol, cast

from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidFile, InvalidInput, InvalidSettings, NotFound, StoreUnavailable

from headwater._references.listing import OBJECTS_MAX, FoundObject, Listing
from headwater._references.uris import (
    WEB_SCHEMES,
    check_uri,
    ends_with_slash,
    name_from_uri,
    redacted,
    scheme_of,
)
from headwater._references.verification import verified

_MODULES = {"http": "http", "https": "http", "s3": "s3", "gs": "gs", "file": "local"}
_WITHOUT_PATH = (InvalidSettings, InvalidFile, InvalidInput, NotFound, StoreUnavailable)  # the most specific first


class SchemeModule(Protocol):
    """What the module of a scheme provides."""

    look_up: Callable[[str, int], Listing]  # a checked URI, and the most objects that a prefix may have
    pieces_of: Callable[[Reference], Iterator[bytes]]


def look_up(uri: str, *, checksum: bool = True, max_objects: int | None = None, named: bool = False) -> Listing:
    """What `uri` stands for: one entry, or one for each object under a prefix.

    Args:
        checksum: False makes no request at all: one entry, without checksum, size or expansion.
        max_objects: how many objects a prefix may have, OBJECTS_MAX by default.
        named: whether the caller has a name for a single entry, so that the URI need not end in one.

    Raises: InvalidInput for a URI that cannot be recorded, has no name where one is needed, or stands for too many
    objects; NotFound when nothing is there; InvalidFile for local files that cannot be added; StoreUnavailable when the
    server does not answer, or refuses these credentials.
    """
    check_uri(uri)
    if checksum not in (True, False):
        raise InvalidInput(
            f"checksum must be True or False, not {checksum!r}. The recorded checksum is the one found at the source."
        )
    objects_max = _checked_limit(max_objects)
    if not checksum or not can_fetch(uri):
        _check_named(uri, named=named)
        return Listing([FoundObject(name_from_uri(uri), uri, None, None, None)], is_prefix=False)
    if scheme_of(uri) in WEB_SCHEMES:
        _check_named(uri, named=named)
    return _module_of(uri).look_up(uri, objects_max)


def fetch(reference: Reference) -> Iterator[bytes]:
    """The recorded bytes, in pieces of bounded size, from the recorded object version.

    They are complete and verified when the iterator ends without an error.
    Raises: ReferenceChanged, before the first piece or instead of the end, when something else is there, or nothing;
    StoreUnavailable when the server does not answer; InvalidInput for a scheme that cannot be fetched.
    """
    check_uri(reference.uri)
    if not can_fetch(reference.uri):
        raise InvalidInput(
            f"{reference.path!r} refers to {redacted(reference.uri)}: the scheme {scheme_of(reference.uri)!r} cannot "
            "be downloaded. Fetch it with its own tool from `entry.ref()`."
        )
    with _named_errors(reference):
        pieces = _module_of(reference.uri).pieces_of(reference)
    return _fetched(pieces, reference)


def can_fetch(uri: str) -> bool:
    """Whether `uri` has a scheme that is looked up and fetched; others are only recorded."""
    return scheme_of(uri) in _MODULES


def _fetched(pieces: Iterator[bytes], reference: Reference) -> Iterator[bytes]:
    with _named_errors(reference):
        yield from verified(pieces, reference)


@contextmanager
def _named_errors(reference: Reference) -> Iterator[None]:
    """Put the path in the version in front of errors that name only the URI."""
    try:
        yield
    except _WITHOUT_PATH as error:
        kind = next(kind for kind in _WITHOUT_PATH if isinstance(error, kind))
        raise kind(f"{reference.path!r}: {error}") from error


def _module_of(uri: str) -> SchemeModule:
    # deferred: urllib3, minio, google-cloud-storage; none is loaded before a URI of its scheme is used
    return cast(SchemeModule, import_module(f"headwater._references.{_MODULES[scheme_of(uri)]}"))


def _checked_limit(max_objects: int | None) -> int:
    if max_objects is None:
        return OBJECTS_MAX
    is_number = hasattr(max_objects, "__index__") and not isinstance(max_objects, bool)
    if not is_number or index(max_objects) < 1:
        raise InvalidInput(f"max_objects must be a whole number of at least 1, not {max_objects!r}.")
    return index(max_objects)


def _check_named(uri: str, *, named: bool) -> None:
    if not named and (not name_from_uri(uri) or ends_with_slash(uri)):
        raise InvalidInput(
            f"{redacted(uri)} does not end in a name for the entry. Pass one, such as name='data/train.csv'."
        )
