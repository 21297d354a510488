"""What a reference may record about content that is stored elsewhere."""

import re

from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import CHECKSUM_LENGTH_MAX, OBJECT_VERSION_LENGTH_MAX, URI_BYTES_MAX

FORBIDDEN_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def check_reference(reference: Reference) -> Reference:
    """Return `reference` if every field but its path can be recorded; raise InvalidInput if not."""
    if reference.size is not None and reference.size < 0:
        raise InvalidInput(
            f"the reference {quoted(reference.path)} has the size {reference.size}. Give its bytes, or no size."
        )
    check_uri(reference.uri)
    if reference.checksum is not None:
        check_checksum(reference.checksum)
    if reference.object_version is not None:
        check_object_version(reference.object_version)
    return reference


def check_uri(uri: object) -> str:
    """Return `uri` if it can be recorded; raise InvalidInput, which never quotes it, if not: it may hold a secret."""
    text = _check_characters(uri, "a URI", "Percent-encode it.")
    if (size := len(text.encode())) > URI_BYTES_MAX:
        raise InvalidInput(
            f"a URI has {size:,} bytes, and at most {URI_BYTES_MAX:,} can be recorded. Use a shorter one."
        )
    return text


def check_checksum(checksum: object) -> str:
    """Return `checksum` if it can be recorded; raise InvalidInput if not."""
    return _check_length(checksum, "a checksum", CHECKSUM_LENGTH_MAX)


def check_object_version(version: object) -> str:
    """Return `version` if it can be recorded as an object's version in its store; raise InvalidInput if not."""
    return _check_length(version, "an object version", OBJECT_VERSION_LENGTH_MAX)


def _check_length(value: object, kind: str, length_max: int) -> str:
    text = _check_characters(value, kind, "Leave it out.")
    if len(text) > length_max:
        raise InvalidInput(
            f"{kind} has {len(text):,} characters, and at most {length_max:,} can be recorded. Leave it out."
        )
    return text


def _check_characters(value: object, kind: str, advice: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{kind} must be a string, not {type(value).__name__}.")
    if found := FORBIDDEN_CHARACTER.search(value):
        raise InvalidInput(f"{kind} contains {quoted(found[0])}: control characters cannot be recorded. {advice}")
    return value
