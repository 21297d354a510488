"""References: what a URI stands for when it is added, and its bytes when it is downloaded.

    http, https    `http`: one file
    s3             `s3`: an object, or all objects under a prefix
    gs             `gs`: the same in Google Cloud Storage; needs the extra `gs`
    file           `local`: a file, or all files below a folder

Anything else is kept as it is, without a request, and cannot be fetched. What is recorded of each object is what its
server says of it (`Found`); `fetch` gives those bytes and no others, or raises. Credentials are found where the tools
of each cloud find them, when they are needed; they are in no URI, no record and no message.

Nothing here loads a client library before a URI of its scheme is looked up or fetched.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from operator import index

from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidInput

from headwater._references.checking import checked
from headwater._references.checking import verifies_content as verifies_content
from headwater._references.found import OBJECTS_MAX as OBJECTS_MAX
from headwater._references.found import Found as Found
from headwater._references.found import Listing as Listing
from headwater._references.uris import WEB_SCHEMES, is_folder_like, name_in, scheme_of, shown
from headwater._references.uris import check_uri as check_uri

_MODULES = {"http": "http", "https": "http", "s3": "s3", "gs": "gs", "file": "local"}


def look_up(uri: str, *, checksum: bool = True, max_objects: int | None = None, named: bool = False) -> Listing:
    """What `uri` stands for: one entry, or one for each object under a prefix.

    Args:
        checksum: False makes no request at all: one entry, without checksum, size or expansion.
        max_objects: how many objects a prefix may have, OBJECTS_MAX unless given.
        named: whether the caller has a name for a single entry, so that the URI need not end in one.

    Raises: InvalidInput for a URI that cannot be kept, has no name where one is needed, or stands for too many
    objects; NotFound when nothing is there; InvalidFile for local files that cannot be taken; StoreUnavailable when
    the server gives no answer, or not to these credentials.
    """
    check_uri(uri)
    if checksum not in (True, False):
        raise InvalidInput(f"checksum must be True or False, not {checksum!r}; what is found there is recorded.")
    objects_max = _check_limit(max_objects)
    if not checksum or not can_fetch(uri):
        _check_named(uri, named=named)
        return Listing([Found(name_in(uri), uri, None, None, None)], is_prefix=False)
    if scheme_of(uri) in WEB_SCHEMES:
        _check_named(uri, named=named)
    find: Callable[[str, int], Listing] = _module_of(uri).look_up
    return find(uri, objects_max)


def fetch(reference: Reference) -> Iterator[bytes]:
    """The bytes that were recorded, in pieces of bounded size, from the recorded object version.

    Whoever takes the pieces has all of them, and the right ones, when the iterator ends without an error.
    Raises: ReferenceChanged, before the first piece or instead of the end, when something else is there, or nothing;
    StoreUnavailable when the server gives no answer; InvalidInput for a scheme that cannot be fetched.
    """
    check_uri(reference.uri)
    if not can_fetch(reference.uri):
        raise InvalidInput(
            f"{reference.path!r} refers to {shown(reference.uri)}: {scheme_of(reference.uri)!r} is not a scheme "
            "that can be fetched here. Get it with its own tool; `entry.ref()` gives its address."
        )
    open_pieces: Callable[[Reference], Iterator[bytes]] = _module_of(reference.uri).pieces_of
    return checked(open_pieces(reference), reference)


def can_fetch(uri: str) -> bool:
    """Whether `uri` has a scheme that is looked up and fetched; others are kept as they are."""
    return scheme_of(uri) in _MODULES


def _module_of(uri: str) -> "_Scheme":
    return import_module(f"{__name__}.{_MODULES[scheme_of(uri)]}")  # type: ignore[return-value]  # as `_Scheme` says


class _Scheme:
    """What the module of a scheme has."""

    look_up: Callable[[str, int], Listing]  # a checked URI, and the most objects that a prefix may have
    pieces_of: Callable[[Reference], Iterator[bytes]]


def _check_limit(max_objects: int | None) -> int:
    if max_objects is None:
        return OBJECTS_MAX
    is_number = hasattr(max_objects, "__index__") and not isinstance(max_objects, bool)
    if not is_number or index(max_objects) < 1:
        raise InvalidInput(f"max_objects must be a whole number from 1 on, not {max_objects!r}.")
    return index(max_objects)


def _check_named(uri: str, *, named: bool) -> None:
    if not named and (not name_in(uri) or is_folder_like(uri)):
        raise InvalidInput(f"{shown(uri)} does not end in a name for the entry. Give one: name='data/train.csv'.")
