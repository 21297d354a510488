"""Headers of a record."""

import dataclasses
from datetime import UTC, datetime

import pytest
from headwater_schemas import headers
from headwater_schemas.events import Stamped
from headwater_schemas.limits import HEADERS_BYTES_MAX
from hypothesis import given

from tests.support import strategies
from tests.support.samples import ORIGIN, SAMPLES


def test_an_event_has_its_cloudevents_attributes() -> None:
    stamped = Stamped(dataclasses.replace(ORIGIN, sequence=0), SAMPLES["run-finished", 1].event)

    assert headers.of_event(stamped) == (
        ("ce_specversion", b"1.0"),
        ("ce_id", stamped.id.encode()),
        ("ce_source", b"/headwater/sessions/0194250a8f1abcdef0123456789abcdef0123456789abcde"),
        ("ce_type", b"headwater.run-finished"),
        ("ce_subject", b"run:vision/digits/run-7"),
        ("ce_time", b"2025-01-02T03:04:05.678901+00:00"),
        ("content-type", b"application/avro"),
        ("hw_session", b"0194250a8f1abcdef0123456789abcdef0123456789abcde"),
        ("hw_sequence", b"0"),
    )


@given(stamped=strategies.stamped())
def test_session_and_sequence_of_any_event_are_read_from_its_headers(stamped: Stamped) -> None:
    written = headers.of_event(stamped)

    assert headers.session_of(written) == stamped.origin.session
    assert headers.sequence_of(written) == stamped.origin.sequence


@pytest.mark.parametrize("value", [b"", b"-1", b"01", b"1 ", b"\xd9\xa1", b"9223372036854775808", b"\xff"])
def test_a_sequence_that_no_writer_sends_counts_as_missing(value: bytes) -> None:
    assert headers.sequence_of(((headers.SEQUENCE, value),)) is None


@pytest.mark.parametrize("value", [b"", b"a" * 47, b"A" * 48, b"g" * 48, b"a" * 49])
def test_a_session_that_no_writer_has_counts_as_missing(value: bytes) -> None:
    assert headers.session_of(((headers.SESSION, value),)) is None


@given(stamped=strategies.stamped())
def test_headers_of_any_event_are_small_and_never_reserved(stamped: Stamped) -> None:
    written = headers.of_event(stamped)

    assert sum(len(name) + len(value) for name, value in written) < HEADERS_BYTES_MAX
    assert not {name for name, _ in written} & set(headers.RESERVED)
    assert len({name for name, _ in written}) == len(written)


def test_the_time_has_a_zone() -> None:
    stamped = Stamped(
        dataclasses.replace(ORIGIN, clock=datetime(2025, 1, 1, tzinfo=UTC)), SAMPLES["writer-done", 1].event
    )

    assert dict(headers.of_event(stamped))["ce_time"] == b"2025-01-01T00:00:00+00:00"


def test_the_reserved_names_are_final() -> None:
    assert headers.RESERVED == (
        "hw_grant",
        "hw_signature",
        "hw_original_position",
        "hw_original_time",
        "hw_original_append_time",
        "hw_ancestors",
    )
