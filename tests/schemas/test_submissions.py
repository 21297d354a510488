"""Bodies of submissions: what is sent is what arrives, and everything else is refused within bounds."""

from contextlib import suppress

import pytest
from headwater_schemas import frames
from headwater_schemas.errors import InvalidInput
from headwater_schemas.submissions import (
    CONTENT_BYTES_MAX,
    Contents,
    Submission,
    decode_contents,
    encode_contents,
)
from hypothesis import given
from hypothesis import strategies as st

SMALL = st.binary(max_size=50)
GROUPS = st.builds(
    Contents, st.sampled_from(["a/b", "team/animals"]), st.sampled_from(["xxh3", "blake3"]), st.lists(SMALL, max_size=4)
)
SUBMISSIONS = st.builds(
    Submission,
    events=st.lists(SMALL, max_size=4),
    contents=st.lists(GROUPS, max_size=3),
    receipts=st.lists(SMALL, max_size=3),
    wait_s=st.floats(0, 25),
)


def plain(submission: Submission) -> object:
    groups = [(one.project, one.algorithm, [*map(bytes, one.contents)]) for one in submission.contents]
    return [*map(bytes, submission.events)], groups, [*map(bytes, submission.receipts)], submission.wait_s


@given(SUBMISSIONS)
def test_what_is_sent_is_what_arrives(submission: Submission) -> None:
    assert plain(Submission.decode(submission.encode())) == plain(submission)


@given(SUBMISSIONS, st.data())
def test_a_damaged_body_is_refused_or_another_submission_and_nothing_else(
    submission: Submission, data: st.DataObject
) -> None:
    body = bytearray(submission.encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=5))
    with suppress(InvalidInput):
        assert Submission.decode(bytes(body)).wait_s <= 25.0


@given(st.binary(max_size=200))
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        Submission.decode(body)
    with pytest.raises(InvalidInput):
        decode_contents(body)


@given(st.lists(SMALL, min_size=1, max_size=5), st.sampled_from(["xxh3", "blake3"]))
def test_contents_that_are_uploaded_together_arrive_as_they_are(contents: list[bytes], algorithm: str) -> None:
    found, arrived = decode_contents(b"".join(encode_contents(algorithm, contents)))

    assert (found, [*map(bytes, arrived)]) == (algorithm, contents)


def test_more_frames_than_are_allowed_are_refused_before_they_are_made() -> None:
    body = b"\0\0\0\0" * 1_000_000

    with pytest.raises(InvalidInput, match="more than 10 frames"):
        frames.unpacked(body, frames_max=10)


def test_a_content_that_is_too_large_to_come_along_is_refused() -> None:
    large = Submission(events=[], contents=[Contents("a/b", "xxh3", [bytes(CONTENT_BYTES_MAX + 1)])])

    with pytest.raises(InvalidInput, match="Upload it before"):
        Submission.decode(large.encode())
