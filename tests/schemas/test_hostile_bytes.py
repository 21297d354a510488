"""What others sent is either an event or one of two errors, in bounded memory and time."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from headwater_schemas import codec
from headwater_schemas.codec import decode, encode
from headwater_schemas.errors import UndecodableEvent, UnknownSchema
from headwater_schemas.limits import EVENT_BYTES_MAX
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.avro import zigzag
from tests.support.samples import ORIGIN, SAMPLES

PREFIX_BYTES = 10
MEMORY_MAX = 128 << 20  # most is one dictionary for each of the 180,000 smallest records that an event has room for
SECONDS_MAX = 60

PAYLOADS = {name: encode(sample) for (name, _), sample in SAMPLES.items()}
every_payload = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())


@every_payload
def test_an_event_cut_short_anywhere_is_undecodable(payload: bytes) -> None:
    for length in range(len(payload)):
        with pytest.raises(UndecodableEvent):
            decode(payload[:length])


@every_payload
def test_an_event_with_bytes_after_its_end_is_undecodable(payload: bytes) -> None:
    with pytest.raises(UndecodableEvent, match="3 bytes too many"):
        decode(payload + b"\x00\x00\x00")


@every_payload
def test_an_event_without_the_marker_is_undecodable(payload: bytes) -> None:
    for marker in (b"\xc3\x02", b"\x01\xc3", b"Ob", b"\x00\x00"):
        with pytest.raises(UndecodableEvent, match="marker C3 01"):
            decode(marker + payload[2:])


@every_payload
def test_an_unknown_fingerprint_is_a_newer_releases_and_not_damage(payload: bytes) -> None:
    with pytest.raises(UnknownSchema, match="0000000000000000"):
        decode(payload[:2] + bytes(8) + payload[PREFIX_BYTES:])


@given(payload=st.sampled_from(sorted(PAYLOADS.values())), data=st.data())
def test_flipped_bits_give_an_event_or_one_of_two_errors(payload: bytes, data: st.DataObject) -> None:
    damaged = bytearray(payload)
    for index in data.draw(st.lists(st.integers(0, len(payload) - 1), min_size=1, max_size=8)):
        damaged[index] ^= data.draw(st.integers(1, 255))

    assert outcome_of(bytes(damaged)) in ("decoded", "UndecodableEvent", "UnknownSchema")


@given(payload=st.sampled_from(sorted(PAYLOADS.values())), body=st.binary(max_size=300))
@example(payload=PAYLOADS["entry-added"], body=b"\xff" * 300)
@example(payload=PAYLOADS["entry-added"], body=b"\x80" * 300)
def test_a_made_up_body_gives_an_event_or_an_undecodable_one(payload: bytes, body: bytes) -> None:
    assert outcome_of(payload[:PREFIX_BYTES] + body) in ("decoded", "UndecodableEvent")


@given(payload=st.binary(max_size=40) | st.binary(max_size=40).map(codec.MAGIC.__add__))
def test_made_up_bytes_give_one_of_two_errors(payload: bytes) -> None:
    assert outcome_of(payload) in ("UndecodableEvent", "UnknownSchema")


def test_more_bytes_than_an_event_may_have_are_not_looked_at() -> None:
    with pytest.raises(UndecodableEvent, match=r"900,001 bytes exceeds the limit of 900,000"):
        decode(PAYLOADS["writer-done"].ljust(EVENT_BYTES_MAX + 1, b"\x00"))


def test_what_damage_quotes_from_an_event_is_cut_short() -> None:
    damaged = bytearray(head_of("writer-done") + text("x" * 500_000) + text("own:1"))
    damaged[-100_000] = 0xFF

    with pytest.raises(UndecodableEvent) as caught:
        decode(bytes(damaged))

    assert len(str(caught.value)) < 400


@every_payload
def test_damage_is_described_the_same_wherever_it_is_met(payload: bytes) -> None:
    messages = set()
    for _ in range(2):
        with pytest.raises(UndecodableEvent) as caught:
            decode(payload[:-1])
        messages.add(str(caught.value))

    assert len(messages) == 1
    assert " at 0x" not in messages.pop()


def outcome_of(payload: bytes) -> str:
    try:
        decode(payload)
    except (UndecodableEvent, UnknownSchema) as error:
        return type(error).__name__
    return "decoded"


def text(value: str) -> bytes:
    encoded = value.encode()
    return zigzag(len(encoded)) + encoded


def head_of(name: str) -> bytes:
    """An event up to where what it says begins: marker, fingerprint and origin."""
    micros = int(ORIGIN.clock.timestamp()) * 1_000_000 + ORIGIN.clock.microsecond
    assert ORIGIN.message is not None
    origin = text(ORIGIN.session) + zigzag(ORIGIN.sequence) + zigzag(micros)
    head = PAYLOADS[name][:PREFIX_BYTES] + origin + text(ORIGIN.author) + zigzag(1) + text(ORIGIN.message)
    assert PAYLOADS[name].startswith(head)
    return head


def filled(head: bytes, item: bytes, tail: bytes = b"") -> bytes:
    """An event of the largest size, with as many of `item` in its array as there is room for."""
    count = (EVENT_BYTES_MAX - len(head) - len(tail) - 6) // len(item)
    return head + zigzag(count) + item * count + b"\x00" + tail


DRAFT = text("e/p/c") + text("own:1")
NO_FILES = text("xxh3") + b"\x00" * 7

CLAIMS: dict[str, bytes] = {
    "a text of 2^62 bytes": head_of("writer-done") + zigzag(1 << 62),
    "a text of -1 bytes": head_of("writer-done") + zigzag(-1) + b"x" * 100,
    "a text of -2^63 bytes": head_of("writer-done") + zigzag(-(1 << 63)) + b"x" * 100,
    "an array of 2^62 texts": head_of("entry-removed") + DRAFT + zigzag(1 << 62),
    "an array of 2^31 texts": head_of("entry-removed") + DRAFT + zigzag(1 << 31) + b"\x02a" * 100,
    "an array of -2^63 texts": head_of("entry-removed") + DRAFT + zigzag(-(1 << 63)) + zigzag(0) + b"\x02a" * 100,
    "blocks of -1 texts": head_of("entry-removed") + DRAFT + b"\x01\x02\x00" * 200_000,
    "an array of 2^40 records": head_of("blobs-moved") + text("e/p") + zigzag(1 << 40) + bytes(1000),
    "a length that does not end": head_of("writer-done") + b"\xff" * 800_000,
    "a digest column of 2^62 bytes": head_of("entry-added") + DRAFT + text("xxh3") + b"\x00" + zigzag(1 << 62),
}
FULL: dict[str, bytes] = {
    "empty texts": filled(head_of("entry-removed") + DRAFT, b"\x00", b"\x00" * 2),
    "paths without columns": filled(head_of("entry-added") + DRAFT + text("xxh3"), b"\x00", b"\x00" * 8),
    "the smallest references": filled(head_of("entry-added") + DRAFT + NO_FILES, b"\x00" * 5, b"\x00"),
    "the smallest moves": filled(head_of("blobs-moved") + text("e/p"), b"\x00" * 5),
    "a block for each text": head_of("entry-removed") + DRAFT + b"\x02\x00" * 400_000 + b"\x00" * 3,
}


def decode_apart(payloads: Sequence[bytes]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile"],
        input="\n".join(payload.hex() for payload in payloads),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_huge_counts_and_lengths_are_undecodable_and_cost_nothing() -> None:
    reports = dict(zip(CLAIMS, decode_apart(list(CLAIMS.values())), strict=True))

    assert {claim for claim, report in reports.items() if report["outcome"] != "UndecodableEvent"} == set()
    assert max(report["grown"] for report in reports.values()) < MEMORY_MAX // 4


def test_an_event_as_full_as_can_be_decodes_in_bounded_memory() -> None:
    reports = dict(zip(FULL, decode_apart(list(FULL.values())), strict=True))

    assert {case: report["message"] for case, report in reports.items() if report["outcome"] != "decoded"} == {}
    assert max(report["grown"] for report in reports.values()) < MEMORY_MAX
