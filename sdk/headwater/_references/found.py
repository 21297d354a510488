"""What a look-up finds, and how much of it there may be."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from headwater_schemas.errors import InvalidInput, NotFound

from headwater._references.uris import shown

OBJECTS_MAX = 10_000  # under one prefix unless more are asked for: a bucket's name alone may stand for billions


class Found(NamedTuple):
    """One entry that a URI stands for."""

    path: str  # inferred: the last segment of the URI, or what comes below the prefix; "" where there is neither
    uri: str  # of that very object
    checksum: str | None  # typed: "etag:…", "md5:…", "crc32c:…", "xxh3:…"; None where the server says none
    size: int | None  # bytes
    object_version: str | None  # the version id of S3, the generation of Google Cloud Storage


class Listing(NamedTuple):
    """All that a URI stands for."""

    found: list[Found]  # in the order of the listing; never empty
    is_prefix: bool  # whether a name given for it is a folder for all, not the name of the one


def listing_of(uri: str, found: Iterable[Found], objects_max: int) -> Listing:
    """All objects under a prefix. Raises: InvalidInput when there are too many, NotFound when there is none."""
    taken = list(islice(found, objects_max + 1))
    if len(taken) > objects_max:
        raise too_many(uri, objects_max)
    if not taken:
        raise NotFound(f"{shown(uri)}: there is no such object, and none below it. Check the spelling of the URI.")
    return Listing(taken, is_prefix=True)


def too_many(uri: str, objects_max: int) -> InvalidInput:
    """The error for a prefix with more objects than may be added by one URI."""
    return InvalidInput(
        f"{shown(uri)} stands for more than {objects_max:,} objects; nothing was added. Give a longer prefix, or "
        "max_objects= with the number that you mean to allow."
    )
