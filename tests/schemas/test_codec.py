"""Events to bytes and back, and what the schemas must be like for that to be safe."""

import dataclasses
import json
import types
import typing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from headwater_schemas import codec
from headwater_schemas.codec import EventTooLarge, decode, encode
from headwater_schemas.entries import FileEntries, Reference
from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import EVENT_TYPES, EntryAdded, EntryRemoved, Event, Origin, Stamped, WriterDone
from headwater_schemas.limits import EVENT_BYTES_MAX
from hypothesis import given
from hypothesis import strategies as st

from tests.support import avro, strategies
from tests.support.samples import ORIGIN, SAMPLES

SCHEMAS = [
    pytest.param(json.loads(codec.schema_text(name, number)), id=f"{name}.{number}")
    for name, numbers in codec.released_schemas().items()
    for number in numbers
]
DONE = WriterDone(collection="e/p/c", draft="own:1")


def with_origin(**changes: Any) -> Stamped:
    return Stamped(dataclasses.replace(ORIGIN, **changes), DONE)


def test_there_is_a_strategy_for_every_event_type() -> None:
    assert set(strategies.EVENTS) == set(EVENT_TYPES)


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.name)
@given(data=st.data())
def test_what_is_encoded_decodes_to_the_same(event_type: type[Event], data: st.DataObject) -> None:
    stamped = data.draw(strategies.stamped(event_type))

    assert decode(encode(stamped)) == stamped


def test_a_clock_in_another_zone_decodes_to_the_same_moment_in_utc() -> None:
    elsewhere = datetime(2025, 1, 1, 5, 0, 0, 1, timezone(timedelta(hours=5, minutes=30)))

    clock = decode(encode(with_origin(clock=elsewhere))).origin.clock

    assert clock == elsewhere
    assert clock.tzinfo is UTC


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.name)
def test_the_newest_schema_has_the_fields_of_the_event_in_their_order(event_type: type[Event]) -> None:
    schema = json.loads(codec.schema_text(event_type.name, codec.released_schemas()[event_type.name][-1]))

    origin, *said = shape_of_schema(schema)[1]

    assert (schema["namespace"], schema["name"]) == ("headwater", event_type.__name__)
    assert origin == ("origin", shape_of_type(Origin))
    assert said == shape_of_type(event_type)[1]


def shape_of_schema(schema: Any) -> Any:
    """A schema with nothing left but what its values look like."""
    if isinstance(schema, str):
        return "long" if schema == "int" else schema
    if isinstance(schema, list):
        null, present = schema
        assert null == "null"
        return ("optional", shape_of_schema(present))
    if schema["type"] == "array":
        return ("array", shape_of_schema(schema["items"]))
    if schema["type"] == "record":
        return (schema["name"], [(field["name"], shape_of_schema(field["type"])) for field in schema["fields"]])
    return schema.get("logicalType", schema["type"])


def shape_of_type(hint: Any) -> Any:
    """The same for a Python type."""
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return (typing.cast(type, hint).__name__, [(f.name, shape_of_type(hints[f.name])) for f in fields_of(hint)])
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        present, null = typing.get_args(hint)
        assert null is types.NoneType
        return ("optional", shape_of_type(present))
    if typing.get_origin(hint) in (list, tuple):
        return ("array", shape_of_type(typing.get_args(hint)[0]))
    return {str: "string", int: "long", bool: "boolean", bytes: "bytes", datetime: "timestamp-micros"}[hint]


def fields_of(record_type: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(record_type)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_item_of_every_array_takes_a_byte_on_the_wire(schema: Any) -> None:
    items = [part["items"] for part in avro.parts_of(schema) if isinstance(part, dict) and "items" in part]

    assert all(avro.bytes_min(item) >= 1 for item in items)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_no_schema_refers_to_a_name_so_none_can_be_recursive(schema: Any) -> None:
    references = [part for part in avro.parts_of(schema) if isinstance(part, str) and part not in avro.PRIMITIVES]

    assert references == []


@pytest.mark.parametrize("schema", SCHEMAS)
def test_only_the_sequence_of_plain_kinds_is_used(schema: Any) -> None:
    kinds = {part["type"] for part in avro.parts_of(schema) if isinstance(part, dict)}

    assert kinds <= {"record", "array", "long"}


def test_the_measure_of_a_schemas_least_bytes_sees_what_takes_none() -> None:
    nothing = {"type": "record", "name": "Nothing", "fields": [{"name": "a", "type": "null"}]}

    assert avro.bytes_min(nothing) == 0
    assert avro.bytes_min(["null", "string"]) == 1
    assert avro.bytes_min({"type": "record", "name": "Two", "fields": [{"name": "a", "type": "double"}]}) == 8


def test_an_event_at_the_limit_is_written_and_read_and_one_above_is_not() -> None:
    room = EVENT_BYTES_MAX - len(encode(with_origin(message="")))
    longest = "x" * (room - 2)  # a text this long has a length of three bytes, an empty one of one

    assert len(encode(with_origin(message=longest))) == EVENT_BYTES_MAX
    assert decode(encode(with_origin(message=longest))).origin.message == longest
    with pytest.raises(EventTooLarge, match=r"writer-done event has 900,001 bytes; at most 900,000"):
        encode(with_origin(message=longest + "x"))


NO_COLUMNS: Any = None
NOT_REFERENCES: Any = (1,)


@pytest.mark.parametrize(
    "stamped",
    [
        with_origin(session=None),
        with_origin(session=b"0" * 32),
        with_origin(sequence=None),
        with_origin(sequence=1 << 63),
        with_origin(clock="2025-01-01"),
        with_origin(clock=1_735_689_600),
        with_origin(clock=datetime(2025, 1, 1)),
        with_origin(message=5),
        with_origin(author="lone \ud800 surrogate"),
        Stamped(ORIGIN, EntryAdded(collection="e/p/c", draft="own:1", files=NO_COLUMNS)),
        Stamped(ORIGIN, EntryAdded(collection="e/p/c", draft="own:1", references=NOT_REFERENCES)),
        Stamped(ORIGIN, EntryRemoved(collection="e/p/c", draft="own:1", paths=NO_COLUMNS)),
        Stamped(ORIGIN, EntryRemoved(collection="e/p/c", draft="own:1", paths=NOT_REFERENCES)),
    ],
    ids=range(13),
)
def test_a_value_that_is_not_of_its_type_is_refused_with_the_events_name(stamped: Stamped) -> None:
    with pytest.raises(InvalidInput, match=f"the {stamped.event.name} event "):
        encode(stamped)


def test_a_clock_without_a_zone_is_refused_because_it_means_another_time_on_every_machine() -> None:
    with pytest.raises(InvalidInput, match=r"clock without a time zone: 2025-01-01 00:00:00\. Use UTC"):
        encode(with_origin(clock=datetime(2025, 1, 1)))


def test_a_full_batch_of_entries_fits_an_event() -> None:
    count = 8192
    files = FileEntries(
        paths=[f"folder-{i % 200:03}/file-{i:06}.bin" for i in range(count)],
        digests=bytes(16 * count),
        sizes=[4096] * count,
        objects=["packs/" + "0" * 40],
        object_indexes=[0] * count,
        offsets=[4096 * i for i in range(count)],
    )

    assert len(encode(Stamped(ORIGIN, EntryAdded(collection="e/p/c", draft="own:1", files=files)))) < EVENT_BYTES_MAX


def test_the_event_id_depends_on_session_key_and_sequence_alone() -> None:
    first = SAMPLES["writer-done", 1]
    resent = Stamped(dataclasses.replace(first.origin, clock=datetime(2030, 1, 1, tzinfo=UTC)), first.event)
    later = Stamped(dataclasses.replace(first.origin, sequence=first.origin.sequence + 1), first.event)

    assert resent.id == first.id
    assert later.id != first.id


def test_references_keep_what_is_absent_apart_from_what_is_empty() -> None:
    references = (Reference("a", "u"), Reference("b", "u", "", 0, ""))
    event = EntryAdded(collection="e/p/c", draft="own:1", references=references)

    decoded = decode(encode(Stamped(ORIGIN, event))).event

    assert decoded == event
