"""Where a subscription reads: of a store that this process opens itself, or through a server."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headwater_schemas.version_events import VersionEvent


@dataclass(frozen=True, slots=True)
class EventPage:
    """What was read at once."""

    events: Sequence[VersionEvent]
    cursor: str  # after them, and after others that were passed over
    more: bool  # whether there may be others to read already


@dataclass(frozen=True, slots=True)
class Followed:
    """Which events a subscription is about."""

    entity: str | None
    project: str | None  # one of the two
    type: str | None
    alias: str | None
    kinds: frozenset[str]  # all, if empty

    @property
    def scope(self) -> str:
        """The project or entity, by which names are told apart."""
        scope = self.project or self.entity
        assert scope is not None, "one of them is followed"
        return scope


class EventSource(Protocol):
    """Version events of one store. Servers that are away are waited for, as the settings say."""

    wait_s: float  # for how long `read` may wait, so that a stop is noticed soon

    def start(self, after: str | datetime) -> str:
        """The cursor that `after` means. Raises: InvalidInput."""
        ...

    def check(self, cursor: str) -> None:
        """Raises: InvalidInput when `cursor` is of another log, or beyond its end."""
        ...

    def read(self, cursor: str, *, wait_s: float) -> EventPage:
        """The next events; where there are none, wait for some, but no longer than `wait_s`. Raises: StoreError."""
        ...

    def catch_up(self) -> None:
        """Make everything that was logged by now readable."""
        ...

    def take_name(self, name: str, holder: str) -> str:
        """Where the subscription `name` goes on, which is `holder`'s from now on; "" where it is new."""
        ...

    def move_name(self, name: str, holder: str, cursor: str) -> None:
        """Remember how far it has read. Raises: NameTaken where another took the name."""
        ...

    def close(self) -> None:
        """Close the store. Closing twice is fine."""
        ...
