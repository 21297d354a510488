"""Events to bytes and back: Avro single-object encoding.

Bytes are C3 01, the CRC-64-AVRO fingerprint of the schema (little-endian), then the Avro body; source: Avro
specification 1.11, "Single-object encoding". Every schema version ever released lies in `avsc/` as `NAME.N.avsc`; the
newest is written, all are read, each through its own schema.

Input is bounded before it is decoded: an event has at most EVENT_BYTES_MAX bytes, every item of every array
takes at least one of them on the wire (a test holds the schemas to it), and no schema is recursive.
"""

import io
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pkgutil import get_data
from typing import Any, get_args, get_origin, get_type_hints

import fastavro

from headwater_schemas.errors import InvalidInput, UndecodableEvent, UnknownSchema
from headwater_schemas.events import EVENT_TYPES, Origin, Stamped
from headwater_schemas.fingerprints import FINGERPRINTS
from headwater_schemas.limits import EVENT_BYTES_MAX
from headwater_schemas.record_values import values_of

MAGIC = b"\xc3\x01"
_PREFIX_BYTES = len(MAGIC) + 8

Schema = Any  # an .avsc file as parsed by fastavro
_DECODING_ERRORS = (EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error)


class EventTooLarge(InvalidInput):
    """An event exceeds EVENT_BYTES_MAX; entries can be split over several events, other fields cannot."""


def encode(stamped: Stamped) -> bytes:
    """Raises: EventTooLarge; InvalidInput when a field's value cannot be written as its type."""
    name = stamped.event.name
    prefix, schema = _newest(name)
    record_type: type = type(stamped.event)
    clock = stamped.origin.clock
    if getattr(clock, "tzinfo", None) is None:  # fastavro would assume local time, which differs between machines
        raise InvalidInput(f"the {name} event has a clock without a time zone: {clock!s:.40}. Use UTC.")
    out = io.BytesIO()
    out.write(prefix)
    try:
        record = _to_plain(record_type)(stamped.event)
        record["origin"] = _to_plain(Origin)(stamped.origin)
        fastavro.schemaless_writer(out, schema, record)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, struct.error) as error:
        raise InvalidInput(f"the {name} event cannot be written: {error}.") from error
    if out.tell() > EVENT_BYTES_MAX:
        raise EventTooLarge(
            f"the {name} event has {out.tell():,} bytes; at most {EVENT_BYTES_MAX:,} are allowed. "
            "Shorten its texts, or split it over several events."
        )
    return out.getvalue()


def decode(payload: bytes) -> Stamped:
    """Read an event written by any release up to this one.

    Raises: UnknownSchema when a newer release wrote it; UndecodableEvent when the bytes are damaged or out of bounds.
    """
    if len(payload) > EVENT_BYTES_MAX:
        raise UndecodableEvent(f"an event of {len(payload):,} bytes exceeds the limit of {EVENT_BYTES_MAX:,}.")
    name, record_type, written, read = _by_fingerprint(_fingerprint_of(payload))
    body = io.BytesIO(payload)
    body.seek(_PREFIX_BYTES)
    try:
        record: Any = fastavro.schemaless_reader(body, written, read)
        origin = _from_plain(Origin)(record.pop("origin"))
        stamped = Stamped(origin, _from_plain(record_type)(record))
    except _DECODING_ERRORS:
        # Not the decoder's message: this one becomes part of the projection, while that one has memory addresses,
        # quotes the input and changes with the library's release.
        raise UndecodableEvent(f"the {name} event is damaged: its bytes do not match its schema.") from None
    if body.tell() != len(payload):
        raise UndecodableEvent(f"the {name} event is damaged: it has {len(payload) - body.tell()} bytes too many.")
    return stamped


def name_of(payload: bytes) -> str:
    """The name of an event, without a look at what it says. Raises: as `decode`."""
    return _by_fingerprint(_fingerprint_of(payload))[0]


def _fingerprint_of(payload: bytes) -> bytes:
    """Raises: UndecodableEvent."""
    if payload[:2] != MAGIC or len(payload) < _PREFIX_BYTES:
        raise UndecodableEvent("an event does not start with the single-object marker C3 01 and a fingerprint.")
    return payload[2:_PREFIX_BYTES]


def schema_text(name: str, number: int) -> str:
    """The text of `avsc/NAME.NUMBER.avsc`."""
    content = get_data(__name__, f"avsc/{name}.{number}.avsc")
    assert content is not None, "the file is part of this package"
    return content.decode()


@cache
def released_schemas() -> Mapping[str, tuple[int, ...]]:
    """Event name → the schema versions that ship, ascending."""
    versions: dict[str, list[int]] = {event_type.name: [] for event_type in EVENT_TYPES}
    for released in FINGERPRINTS:
        name, number = released.split(".")
        versions[name].append(int(number))
    return {name: tuple(sorted(numbers)) for name, numbers in versions.items()}


@cache
def _schema(name: str, number: int) -> tuple[bytes, Schema]:
    """The fingerprint, in wire order, and the parsed schema."""
    parsed = fastavro.parse_schema(json.loads(schema_text(name, number)))
    return bytes.fromhex(FINGERPRINTS[f"{name}.{number}"]), parsed


@cache
def _newest(name: str) -> tuple[bytes, Schema]:
    crc, schema = _schema(name, released_schemas()[name][-1])
    return MAGIC + crc, schema


@cache
def _by_fingerprint(crc: bytes) -> tuple[str, type, Schema, Schema | None]:
    """The event's name and type, the schema that wrote it, and the one to read it as if that differs."""
    found = _released_by_fingerprint().get(crc)
    if found is not None:
        name, number = found
        schema, newest = _schema(name, number)[1], _newest(name)[1]
        return name, _event_types()[name], schema, None if schema is newest else newest
    raise UnknownSchema(
        f"schema {crc.hex()} is not among those that this release ships: a newer headwater wrote the event. Upgrade."
    )


@cache
def _released_by_fingerprint() -> Mapping[bytes, tuple[str, int]]:
    """Fingerprint, in wire order → event name and number of the schema."""
    released = [(name, number) for name, numbers in released_schemas().items() for number in numbers]
    return {bytes.fromhex(FINGERPRINTS[f"{name}.{number}"]): (name, number) for name, number in released}


@cache
def _event_types() -> Mapping[str, type]:
    return {event_type.name: event_type for event_type in EVENT_TYPES}


Convert = Callable[[Any], Any]


@cache
def _to_plain(record_type: type) -> Convert:
    """A function from a frozen record to the dictionary that fastavro writes."""
    names, converted = _fields_of(record_type, _to_plain, list)
    values = values_of(names)

    def to_plain(record: Any) -> dict[str, Any]:
        plain = dict(zip(names, values(record), strict=True))
        for name, convert in converted:
            plain[name] = convert(plain[name])
        return plain

    return to_plain


@cache
def _from_plain(record_type: type) -> Convert:
    """A function from a decoded dictionary, which has exactly its fields and is used up, to the frozen record."""
    _, converted = _fields_of(record_type, _from_plain, tuple)

    def from_plain(record: dict[str, Any]) -> Any:
        for name, convert in converted:
            record[name] = convert(record[name])
        return record_type(**record)

    return from_plain


def _fields_of(
    record_type: type, of_record: Callable[[type], Convert], sequence: Callable[[Any], Any]
) -> tuple[list[str], list[tuple[str, Convert]]]:
    """The names of a record's fields, and the conversions of those that need one."""
    hints = get_type_hints(record_type)
    names = [field.name for field in fields(record_type)]
    converters = [(name, _converter(hints[name], of_record, sequence)) for name in names]
    return names, [(name, convert) for name, convert in converters if convert is not None]


def _converter(hint: Any, of_record: Callable[[type], Convert], sequence: Callable[[Any], Any]) -> Convert | None:
    """The conversion of a field of type `hint`; None where it needs none."""
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return of_record(hint)
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        if not is_dataclass(item):
            return sequence
        assert isinstance(item, type)
        convert_item = of_record(item)
        return lambda values: sequence([convert_item(value) for value in values])
    present = next((part for part in get_args(hint) if is_dataclass(part) or get_origin(part) is tuple), None)
    convert_present = None if present is None else _converter(present, of_record, sequence)
    if convert_present is None:
        return None
    return lambda value: None if value is None else convert_present(value)
