"""The records in an Avro container file are read as a library for Avro reads them, and damaged ones are refused."""

import io
import json
from typing import Any

import fastavro
import pytest
from headwater_consumer.archive import avro_records
from headwater_consumer.archive.avro_blocks import encode, encode_number, encode_text
from headwater_consumer.archive.avro_records import RecordDecoder
from headwater_eventlog.port import Record
from headwater_schemas.archive_files import record_schema_text
from headwater_schemas.positions import Position
from hypothesis import given
from hypothesis import strategies as st

SCHEMA: Any = fastavro.parse_schema(json.loads(record_schema_text()))
EPOCH, PARTITION = 1, 7

NAMES = st.sampled_from(("ce_id", "ce_type", "", "n" * 70))
VALUES = st.sampled_from((b"", b"1", b"2", b"22", b"\xff" * 70))
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=3).map(tuple)
NUMBERS = st.integers(0, 2**63 - 1) | st.integers(0, 200)
TIMES = st.sampled_from((0, -1, 1_700_000_000_000_000, 1_700_000_000_000_001, 2**63 - 1, -(2**63)))
KEYS = st.sampled_from(("", "k", "\N{SNOWMAN}", "k" * 70))
RECORDS = st.lists(
    st.builds(
        Record,
        st.builds(Position, st.just(EPOCH), st.just(PARTITION), NUMBERS),
        TIMES,
        KEYS,
        st.binary(max_size=3) | st.just(b"x" * 9000),
        HEADERS,
    ),
    max_size=8,
)


def decoded(block: bytes, count: int, decoder: RecordDecoder | None = None) -> list[Record]:
    return [
        Record(Position(EPOCH, PARTITION, offset), time_us, key, payload, tuple(zip(names, values, strict=True)))
        for offset, time_us, key, payload, names, values in (decoder or RecordDecoder()).decode(block, count)
    ]


def by_the_library(records: list[Record]) -> bytes:
    out = io.BytesIO()
    for record in records:
        headers = [{"name": name, "value": value} for name, value in record.headers]
        found = {"time_us": record.time_us, "key": record.key, "payload": record.payload, "headers": headers}
        fastavro.schemaless_writer(out, SCHEMA, found | {"offset": record.position.offset})
    return out.getvalue()


@given(RECORDS)
def test_what_a_library_writes_is_read_as_it_was(records: list[Record]) -> None:
    assert decoded(by_the_library(records), len(records)) == records


@given(RECORDS)
def test_one_decoder_reads_block_after_block(records: list[Record]) -> None:
    decoder = RecordDecoder()

    assert [decoded(encode(record), 1, decoder) for record in records * 2] == [[record] for record in records * 2]


def test_more_kinds_and_times_than_are_remembered_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_records, "_KINDS_MAX", 2)
    monkeypatch.setattr(avro_records, "_TIMES_MAX", 2)
    records = [
        Record(Position(EPOCH, PARTITION, n), 1_700_000_000_000_000 + n % 5, "k" * (n % 5), b"", (("h", b"%d" % n),))
        for n in range(20)
    ]

    assert decoded(b"".join(map(encode, records)), len(records)) == records


def test_headers_that_come_in_parts_are_read() -> None:
    """As the specification of Avro allows: a number below zero is followed by the part's bytes."""
    header = encode_text("a") + encode_number(1) + b"1"
    parts = encode_number(1) + header + encode_number(-2) + encode_number(2 * len(header)) + 2 * header
    bare = Record(Position(EPOCH, PARTITION, 3), 4, "k", b"x")
    block = encode(bare)[:-1] + parts + encode_number(0)

    assert decoded(2 * block, 2) == 2 * [bare._replace(headers=3 * (("a", b"1"),))]


@given(RECORDS.filter(bool), st.data())
def test_a_block_that_is_cut_short_or_too_long_is_refused(records: list[Record], data: st.DataObject) -> None:
    block = b"".join(map(encode, records))
    end = data.draw(st.integers(0, len(block) - 1))

    for wrong in (block[:end], block + b"\x00"):
        with pytest.raises((ValueError, IndexError)):
            decoded(wrong, len(records))


@pytest.mark.parametrize("size", [-1, 2**40, -(2**62)])
def test_a_length_that_cannot_be_is_refused(size: int) -> None:
    begin = encode_number(0) + encode_number(0)

    for block in (begin + encode_number(size), begin + encode_number(0) + encode_number(size)):
        with pytest.raises(ValueError, match="bytes of"):
            decoded(block + b"\x00" * 20, 1)
