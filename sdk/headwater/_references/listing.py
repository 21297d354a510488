"""What a URI stands for: its objects, as their server describes them, up to a limit."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from headwater_schemas.errors import InvalidInput, NotFound

from headwater._references.uris import redacted

OBJECTS_MAX = 10_000  # under one prefix by default: a bucket alone may hold billions


class FoundObject(NamedTuple):
    """One object that a URI stands for."""

    path: str  # inferred: the last segment of the URI, or the key below the prefix; "" where there is neither
    uri: str  # of this object
    checksum: str | None  # typed: "etag:…", "md5:…", "crc32c:…", "xxh3:…"; None where the server gives none
    size: int | None  # bytes
    object_version: str | None  # the version id of S3, the generation of Google Cloud Storage


class Listing(NamedTuple):
    """All objects that a URI stands for."""

    objects: list[FoundObject]  # in the order of the listing; never empty
    is_prefix: bool  # whether a given name is the folder for all objects, rather than the name of one


def list_prefix(uri: str, objects: Iterable[FoundObject], objects_max: int) -> Listing:
    """All objects under a prefix. Raises: InvalidInput when there are too many, NotFound when there is none."""
    found = list(islice(objects, objects_max + 1))
    if len(found) > objects_max:
        raise too_many_objects(uri, objects_max)
    if not found:
        raise NotFound(f"{redacted(uri)}: no such object, and none below it. Check the URI.")
    return Listing(found, is_prefix=True)


def too_many_objects(uri: str, objects_max: int) -> InvalidInput:
    """The error for a prefix with more objects than may be added by one URI."""
    return InvalidInput(
        f"{redacted(uri)} has more than {objects_max:,} objects. Nothing was added. Use a longer prefix, or raise "
        "max_objects=."
    )
