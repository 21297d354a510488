"""The record of an open store: its log, blobs, database and projection. `opening` makes one."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from headwater_blobs.port import BlobStore
from headwater_consumer.queries import Answers, SentRange
from headwater_consumer.queries.reads import Reads
from headwater_eventlog.port import EventLog
from headwater_schemas import digests
from headwater_schemas.access import ANYBODY
from headwater_schemas.errors import StoreMissing
from headwater_schemas.positions import Cut, Position

if TYPE_CHECKING:  # a client of a server has none, and does not wait for all that it needs
    from headwater_consumer.database import Database


class Projection(Protocol):
    """How a client waits until the database has what the log has."""

    def covers(self, cut: Cut) -> bool: ...

    def reached(self) -> Cut: ...

    def now(self) -> Cut: ...

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
    database: "Database"
    reads: Reads  # of the database
    projection: Projection
    read_only: bool
    is_remote: bool = False  # whether it is on servers, which are restarted and run in other processes
    is_current: Callable[[], bool] = lambda: True  # whether this is still what its name leads to; cheap
    # A block with the room that it keeps in reserve: for what frees room, on a full disk. A folder has some.
    reserve_released: Callable[[], AbstractContextManager[None]] = nullcontext
    missing: StoreMissing | None = None  # why there is nothing in it: it does not exist yet
    obstacle: str | None = None  # what makes it read-only
    principal: str | None = None  # as whom a server knows this process; None where it needs none

    @property
    def default_algorithm(self) -> str:
        """Of the digests in a new project. A server lets in whom others need not trust."""
        return digests.DEFAULT_ALGORITHM if self.principal is None else digests.BLAKE3

    @property
    def shows_all(self) -> bool:
        """Whether what it does not show is not there: a server shows what one may read."""
        return self.principal in (None, ANYBODY)

    def close(self) -> None:
        """Close all files and connections. Closing twice is fine."""
        self.database.close()
        self.blobs.close()
        self.log.close()
