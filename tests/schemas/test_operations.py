"""The frames of what a command writes: whole again however their stream was cut, and nothing else is taken."""

import struct

import pytest
from headwater_schemas.errors import StoreUnavailable
from headwater_schemas.operations import BEAT, CONTENT, END, KINDS, OUTPUT, PAYLOAD_BYTES_MAX, End, Frames, frame
from hypothesis import given
from hypothesis import strategies as st

a_frame = st.tuples(st.sampled_from(KINDS), st.binary(max_size=40))


@given(st.lists(a_frame, max_size=8), st.integers(1, 30))
def test_frames_are_whole_again_however_their_stream_was_cut(sent: list[tuple[bytes, bytes]], size: int) -> None:
    stream = b"".join(frame(kind, payload) for kind, payload in sent)
    frames = Frames()

    got = [one for at in range(0, len(stream), size) for one in frames.take(stream[at : at + size])]

    assert got == sent


def test_the_largest_frame_is_taken() -> None:
    payload = bytes(PAYLOAD_BYTES_MAX)

    assert list(Frames().take(frame(CONTENT, payload) + frame(BEAT))) == [(CONTENT, payload), (BEAT, b"")]


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack("<I", 0),
        struct.pack("<I", PAYLOAD_BYTES_MAX + 2) + OUTPUT,
        struct.pack("<I", 1) + b"?",
        b"HTTP/1.1 200 OK\r\n",
    ],
    ids=["empty", "too large", "of no kind", "text"],
)
def test_what_is_no_frame_is_refused_before_it_is_kept(stream: bytes) -> None:
    with pytest.raises(StoreUnavailable, match="not understood"):
        list(Frames().take(stream))


def test_an_end_says_the_code_and_why_it_was_interrupted() -> None:
    for end in (End(0), End(3), End(-9), End(130, "the server stops")):
        assert End.decode(end.encode()) == end


@pytest.mark.parametrize("payload", [b"", b"0", b"{}", b'{"code": null, "interrupted": null}', b"\xff", b'{"code": 0}'])
def test_what_is_no_end_is_no_success(payload: bytes) -> None:
    assert END in KINDS
    with pytest.raises(StoreUnavailable, match="not understood"):
        End.decode(payload)
