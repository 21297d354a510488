"""What a client sends to a server to be written: events, with the contents that they name.

A body of `frames`: a head, which is JSON and counts the rest; the events, each as its writer encoded it (see `codec`);
small contents, in groups of one project and one digest algorithm; receipts for contents that were uploaded before.

What an event says of places, of its author and of rights is the server's to set: what is here of these is ignored. A
digest is what the server computes of the bytes that came along.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headwater_schemas import digests, frames
from headwater_schemas.errors import HeadwaterError, InvalidInput
from headwater_schemas.names import check_project

MEDIA_TYPE = "application/vnd.headwater.submission"
CONTENTS_MEDIA_TYPE = "application/vnd.headwater.contents"  # of what is uploaded many at once: see `contents_frames`
CONTENT_MEDIA_TYPE = "application/octet-stream"  # of one content of any size
RECEIPT_MEDIA_TYPE = "application/vnd.headwater.receipt"  # of what a server gave for what was uploaded
FORMAT = 1
SUBMISSION_BYTES_MAX = 32 * 1024 * 1024  # of one body
EVENTS_MAX = 1024  # of one submission
CONTENTS_MAX = 8192  # as above
RECEIPTS_MAX = 1024  # as above
CONTENT_BYTES_MAX = 1024 * 1024  # of one that comes along; larger ones are uploaded before
PACK_BYTES_MAX = 16 * 1024 * 1024  # with so much a pack of contents is full
TOGETHER_BYTES_MAX = PACK_BYTES_MAX + CONTENT_BYTES_MAX  # of contents that are uploaded at once: also of what fills it
PACK_CONTENTS_MAX = 65_536
RECEIPT_BYTES_MAX = 4 * 1024 * 1024  # for as many contents as a pack has
GROUPS_MAX = EVENTS_MAX  # of contents in one submission
WAIT_S_MAX = 25.0  # for the outcome, in one request
_HEAD_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Contents:
    """Small contents of one project that come along."""

    project: str  # "entity/project"
    algorithm: str  # by which the events that name them do
    contents: Sequence[bytes | memoryview] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is sent at once: all of it is accepted, or nothing."""

    events: Sequence[bytes | memoryview] = field(repr=False)  # encoded, in their writer's order
    contents: Sequence[Contents] = ()
    receipts: Sequence[bytes | memoryview] = ()
    wait_s: float = 0.0  # for what becomes of the events; 0: the answer is that they are durable

    def encode(self) -> bytes:
        """One body."""
        head = {
            "format": FORMAT,
            "events": len(self.events),
            "contents": [[one.project, one.algorithm, len(one.contents)] for one in self.contents],
            "receipts": len(self.receipts),
            "wait_s": self.wait_s,
        }
        along = (content for one in self.contents for content in one.contents)
        return b"".join(frames.packed([_json(head), *self.events, *along, *self.receipts]))  # type: ignore[list-item]

    @classmethod
    def decode(cls, body: bytes) -> "Submission":
        """Raises: InvalidInput for what is no result of `encode`, or out of bounds. Contents are views of `body`."""
        if len(body) > SUBMISSION_BYTES_MAX:
            raise InvalidInput(f"a submission has {len(body):,} bytes; at most {SUBMISSION_BYTES_MAX:,} are allowed.")
        found = frames.unpacked(body, frames_max=1 + EVENTS_MAX + CONTENTS_MAX + RECEIPTS_MAX)
        head = _head_of(found)
        events, receipts = _count(head, "events", EVENTS_MAX), _count(head, "receipts", RECEIPTS_MAX)
        groups = _groups(head)
        contents = sum(count for _, _, count in groups)
        if contents > CONTENTS_MAX or 1 + events + contents + receipts != len(found):
            raise _not_valid(f"its head counts {events + contents + receipts:,} frames, and {len(found) - 1:,} follow")
        parts = iter(found[1:])
        taken = _taken(parts, events)
        along = [Contents(project, algorithm, _taken(parts, count)) for project, algorithm, count in groups]
        if any(len(content) > CONTENT_BYTES_MAX for one in along for content in one.contents):
            raise InvalidInput(f"a content of more than {CONTENT_BYTES_MAX:,} bytes came along. Upload it before.")
        return cls(events=taken, contents=along, receipts=list(parts), wait_s=_wait_s(head))


def encode_contents(algorithm: str, contents: Sequence[bytes]) -> list[bytes]:
    """The pieces of a body with contents to be stored together."""
    return list(frames.packed([_json({"format": FORMAT, "algorithm": algorithm}), *contents]))


def decode_contents(body: bytes) -> tuple[str, list[memoryview]]:
    """The algorithm and the contents, at least one. Raises: InvalidInput."""
    found = frames.unpacked(body, frames_max=1 + PACK_CONTENTS_MAX)
    algorithm, contents = _text(_head_of(found), "algorithm"), found[1:]
    size = sum(map(len, contents))
    if not contents or size > TOGETHER_BYTES_MAX:
        raise _not_valid(
            f"it has {len(contents):,} contents with {size:,} bytes; 1 to {TOGETHER_BYTES_MAX:,} are allowed"
        )
    return digests.check_algorithm(algorithm), contents


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that the server did not take. Nothing of its submission was written."""

    index: int  # among the events of the submission
    word: str  # see `problems`
    message: str

    def to_json(self) -> dict[str, Any]:
        """As it stands in the answer."""
        return {"index": self.index, "reason": self.word, "detail": self.message}

    @classmethod
    def of_json(cls, found: Any) -> "Refusal":
        """Raises: ValueError, TypeError, KeyError for what is none."""
        return cls(int(found["index"]), str(found["reason"]), str(found["detail"]))


class EventsRefused(HeadwaterError):
    """The server did not take some events of a submission. Nothing of it was written."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(refusals[0].message)
        self.refusals = refusals


def _json(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, separators=(",", ":")).encode()


def _head_of(found: Sequence[memoryview]) -> Mapping[str, Any]:
    if not found or len(found[0]) > _HEAD_BYTES_MAX:
        raise _not_valid("it has no head")
    try:
        head = json.loads(bytes(found[0]))
    except (ValueError, RecursionError):
        raise _not_valid("its head is not JSON") from None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _not_valid(f"its head does not say format {FORMAT}")
    return head


def _groups(head: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    given = head.get("contents")
    if not isinstance(given, list) or len(given) > GROUPS_MAX:
        raise _not_valid(f"its head has no list of at most {GROUPS_MAX} groups of contents")
    return [_group(one) for one in given]


def _group(given: Any) -> tuple[str, str, int]:
    if not isinstance(given, list) or len(given) != 3:
        raise _not_valid("a group of contents is not a project, an algorithm and a number")
    project, algorithm, count = given
    if not isinstance(project, str) or not isinstance(algorithm, str):
        raise _not_valid("a group of contents is not a project, an algorithm and a number")
    return check_project(project), digests.check_algorithm(algorithm), _number(count, "contents", CONTENTS_MAX)


def _taken(parts: Iterator[memoryview], count: int) -> list[memoryview]:
    return [next(parts) for _ in range(count)]


def _count(head: Mapping[str, Any], name: str, most: int) -> int:
    return _number(head.get(name), name, most)


def _number(value: object, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _not_valid(f"the number of {name} is not one from 0 to {most:,}")
    return value


def _text(head: Mapping[str, Any], name: str) -> str:
    value = head.get(name)
    if not isinstance(value, str):
        raise _not_valid(f"its head says no {name}")
    return value


def _wait_s(head: Mapping[str, Any]) -> float:
    value = head.get("wait_s")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= WAIT_S_MAX:
        raise _not_valid(f"it does not wait 0 to {WAIT_S_MAX:g} s")
    return float(value)


def _not_valid(why: str) -> InvalidInput:
    return InvalidInput(f"this is not a submission: {why}. Send what this release's client sends.")
