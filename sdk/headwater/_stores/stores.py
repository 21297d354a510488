"""The record of an open store: its log, blobs, database and projection. `opening` makes one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from headwater_blobs.port import BlobStore
from headwater_consumer.database import Database
from headwater_consumer.queries import Answers, SentRange
from headwater_eventlog.port import EventLog
from headwater_schemas.errors import StoreMissing
from headwater_schemas.positions import Cut, Position


class Projection(Protocol):
    """How a client waits until the database has what the log has."""

    def covers(self, cut: Cut) -> bool: ...

    def ask(
        self,
        cut: Cut,
        drafts: Sequence[tuple[str, str]],
        ranges: Sequence[SentRange],
        *,
        patience_s: float,
        timeout_s: float,
    ) -> Answers: ...

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None: ...

    def raise_overdue(self, cut: Cut, *, waited_s: float, gives_up: bool) -> None: ...

    def check_log(self, *, records: bool) -> None: ...

    def watch_append(self) -> Callable[[Sequence[Position]], None]: ...

    def catch_up_on(self, key: str, *, timeout_s: float) -> None: ...

    def awaited(self) -> str | None: ...

    def is_given_up(self, cut: Cut) -> bool: ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The log, the blobs, the database, and the projection that carries the log into the database."""

    name: str  # for messages
    log: EventLog
    blobs: BlobStore
    database: Database
    projection: Projection
    read_only: bool
    is_remote: bool = False  # whether it is on servers, which are restarted and run in other processes
    is_current: Callable[[], bool] = lambda: True  # whether this is still what its name leads to; cheap
    missing: StoreMissing | None = None  # why there is nothing in it: it does not exist yet
    obstacle: str | None = None  # what makes it read-only

    def close(self) -> None:
        """Close all files and connections. Closing twice is fine."""
        self.database.close()
        self.blobs.close()
        self.log.close()
