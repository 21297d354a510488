"""What the writers were told. It outlives their crashes: what a user once saw on the screen must stay true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from headwater_producer.producer import SentEvent

EventKey = tuple[str, str, int]  # session, key, sequence


class Entry(NamedTuple):
    """What a path holds."""

    digest: bytes | None  # None: a reference
    size: int | None
    uri: str | None = None
    executable: bool = False


Content = Mapping[str, Entry]  # by path


def is_executable(writer: str, path: str) -> bool:
    """Whether a writer's file at a path is: one of four."""
    return crc32(f"{writer} {path}".encode()) % 4 == 0


@dataclass(slots=True)
class OwnCommit:
    """A version that one writer logged alone."""

    collection: str
    draft: str
    events: Sequence[SentEvent]
    meant: Content
    base: int | None
    told: int | None = None  # the version that it became, once its writer was told so


@dataclass(frozen=True, slots=True)
class Upsert:
    """What one event brought into a shared draft, or took out."""

    collection: str
    draft: str
    event: SentEvent
    added: Content
    removed: Sequence[str] = ()


@dataclass(slots=True)
class Ledger:
    """All that was sent, confirmed and answered in one schedule."""

    own: list[OwnCommit] = field(default_factory=list)
    upserts: list[Upsert] = field(default_factory=list)
    confirmed: dict[tuple[str, str], int] = field(default_factory=dict)  # (session, key) → the last sequence
    refused: dict[EventKey, str] = field(default_factory=dict)  # what writers were told is refused, and why
    accepted: set[EventKey] = field(default_factory=set)  # what they were told is not refused
    contents: dict[bytes, bytes] = field(default_factory=dict)  # all bytes that anybody took, by digest

    def is_confirmed(self, event: SentEvent) -> bool:
        """Whether its writer was told that it is on the log."""
        return self.confirmed.get((event.session, event.key), -1) >= event.sequence
