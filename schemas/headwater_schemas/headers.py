"""The headers of a record: CloudEvents attributes, and reserved names.

Source: CloudEvents 1.0, Kafka protocol binding, binary content mode (header names start with `ce_`).
"""

from headwater_schemas.events import Stamped

Headers = tuple[tuple[str, bytes], ...]

CONTENT_TYPE = "content-type"
AVRO = b"application/avro"

# Reserved: this release never sets them; every release must preserve them when it copies a record.
GRANT = "hw_grant"
SIGNATURE = "hw_signature"  # over the raw payload and the key
ORIGINAL_POSITION = "hw_original_position"  # on restored records: "GENERATION/PARTITION/OFFSET"
ORIGINAL_TIME = "hw_original_time"  # on restored records: the append time in microseconds since 1970, UTC
RESERVED = (GRANT, SIGNATURE, ORIGINAL_POSITION, ORIGINAL_TIME)

HEADERS_BYTES_MAX = 65_536


def of_event(stamped: Stamped) -> Headers:
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
    )
