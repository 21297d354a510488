"""The headers of a record: CloudEvents attributes, and reserved names.

Source: CloudEvents 1.0, Kafka protocol binding, binary content mode (header names start with `ce_`).
"""

import re
from typing import TYPE_CHECKING

from headwater_schemas.limits import SESSION_DIGITS

if TYPE_CHECKING:  # readers of headers alone need no events
    from headwater_schemas.events import Stamped

Headers = tuple[tuple[str, bytes], ...]

CONTENT_TYPE = "content-type"
AVRO = b"application/avro"

# By these a record that cannot be decoded can still be skipped in its writer's order.
SESSION = "hw_session"
SEQUENCE = "hw_sequence"  # decimal

# Reserved: writers of events never set them; every release must preserve them when it copies a record.
GRANT = "hw_grant"
SIGNATURE = "hw_signature"  # over the key, the raw payload, the grant and the identity of the log
ORIGINAL_POSITION = "hw_original_position"  # on restored records: "GENERATION/PARTITION/OFFSET"
ORIGINAL_TIME = "hw_original_time"  # on restored records: when it took effect, in microseconds since 1970, UTC
ORIGINAL_APPEND_TIME = "hw_original_append_time"  # the same, by the clock of the log that it was first written to
ANCESTORS = "hw_ancestors"  # on the first record of each partition of a restored topic: generations, oldest first
ORIGINAL = (ORIGINAL_POSITION, ORIGINAL_TIME, ORIGINAL_APPEND_TIME)
RESERVED = (GRANT, SIGNATURE, *ORIGINAL, ANCESTORS)


_SESSION = re.compile(rb"[0-9a-f]{%d}" % SESSION_DIGITS)
_SEQUENCE = re.compile(rb"0|[1-9][0-9]{0,18}")
_SEQUENCE_MAX = 2**63 - 1


def session_of(headers: Headers) -> str | None:
    """The session of a record's writer; None where its header is missing or invalid."""
    found = dict(headers).get(SESSION, b"")
    return found.decode() if _SESSION.fullmatch(found) else None


def sequence_of(headers: Headers) -> int | None:
    """The number of a record in its writer's order; None where its header is missing or invalid."""
    found = dict(headers).get(SEQUENCE, b"")
    return int(found) if _SEQUENCE.fullmatch(found) and int(found) <= _SEQUENCE_MAX else None


def without_original(headers: Headers) -> Headers:
    """The headers that a restored record had before: without the last one of each that a restore adds."""
    last = {name: number for number, (name, _) in enumerate(headers) if name in ORIGINAL}
    return tuple(header for number, header in enumerate(headers) if last.get(header[0]) != number)


def of_event(stamped: "Stamped") -> Headers:
    """The CloudEvents attributes of one event."""
    origin = stamped.origin
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", stamped.id.encode()),
        ("ce_source", f"/headwater/sessions/{origin.session}".encode()),
        ("ce_type", f"headwater.{stamped.event.name}".encode()),
        ("ce_subject", stamped.event.key.encode()),
        ("ce_time", origin.clock.isoformat().encode()),
        (CONTENT_TYPE, AVRO),
        (SESSION, origin.session.encode()),
        (SEQUENCE, str(origin.sequence).encode()),
    )
