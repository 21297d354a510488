"""What differs between databases: one adapter for SQLite, one for PostgreSQL."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from headwater_schemas.errors import StoreError, StoreUnavailable

from headwater_consumer.database.connection import Connection
from headwater_consumer.rows import LogPositionRow, ProjectionRow

R = TypeVar("R", bound=ProjectionRow)
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """What a database holds, in messages."""

    noun: str  # with its article
    mending: str  # what to do where it is damaged; a sentence


PROJECTION = Holding("the projection", "Rebuild it with `headwater replay --replace`.")


class DataRefused(StoreError):
    """The database works, but refuses what it was given: too long, out of range, or not unique."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(
            f"{name} cannot hold what it was given: {text}. Nothing that was recorded is lost: upgrade headwater, or "
            "report this."
        )


class GaveWay(StoreUnavailable):
    """The transaction was undone to let another one end. Repeated, it can succeed."""


class TableMissing(StoreUnavailable):
    """There is no table of this name."""


class TookTooLong(StoreUnavailable):
    """A question was given up at the end of the time that it had. A smaller one can succeed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a question to {name} took longer than it may. Ask for less, or when the machine is less busy."
        )


class DatabaseAdapter(Protocol):
    """One database that holds a projection: how to connect, begin transactions and move many rows at once.

    Every adapter promises, and `tests/consumer` runs the same tests on both:

    - rows come back equal to those that were written, and text sorts by code point;
    - an error of the driver becomes an error of `headwater_schemas.errors` that names the database and the next step,
      `DataRefused` where the same data would fail again, and `GaveWay` where only the transaction must be repeated.
    """

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def location(self) -> str:
        """Which projection this is on its server, without the server's address: several addresses may lead there."""
        ...

    @property
    def begin_writing(self) -> str:
        """Begins a transaction that writes. A crash of the server may undo the last ones: the log has it all."""
        ...

    @property
    def begin_durably(self) -> str:
        """Begins a transaction that writes and that no crash of a server undoes."""
        ...

    @property
    def begin_reading(self) -> str:
        """Begins a snapshot that does not change."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The base classes of the driver's errors."""
        ...

    @property
    def idle_s(self) -> float | None:
        """For how long a connection that nobody uses is kept; None for as long as the process lives."""
        ...

    @property
    def walks_nearest_first(self) -> bool:
        """Whether a recursive query returns its rows breadth first, in the order in which it found them."""
        ...

    @property
    def clock_us(self) -> str:
        """An expression of SQL: the server's clock, in microseconds since 1970."""
        ...

    def missing(self) -> StoreUnavailable:
        """The error where the database is not there, or has no tables at all."""
        ...

    def connect(self) -> Connection:
        """A new connection."""
        ...

    def limit_time(self, connection: Connection, seconds: float | None) -> None:
        """Have each question on this connection end with `TookTooLong` after so long, at most; None: as before."""
        ...

    def table_names(self, connection: Connection) -> list[str]:
        """All tables that are there, ours or not."""
        ...

    def is_reusable(self, connection: Connection) -> bool:
        """Whether an idle connection can be used again."""
        ...

    def serialize_creation(self, connection: Connection) -> None:
        """Exclude all others from here to the end of this transaction: for what is created once."""
        ...

    def lock_cursors(self, connection: Connection, partitions: Sequence[int]) -> list[LogPositionRow]:
        """The cursors of these partitions, locked in that order to the end of this transaction.

        Left out are those that another transaction has locked, and those that are not there.
        """
        ...

    def to_store_error(self, error: BaseException) -> StoreError:
        """The driver's error as one of ours."""
        ...

    # --- announcements

    def announce(self, connection: Connection, text: str) -> None:
        """Have all who `hear` get a short text, or "" where it is too long. Some may get it late, twice or never."""
        ...

    def hear(self, connection: Connection, timeout_s: float) -> list[str] | None:
        """What was announced since the last call on this connection; waits at most `timeout_s` for something.

        The first call begins to listen, and returns "" at once: look, since what was announced before is not heard.
        None where nobody can listen, or enough others do.
        """
        ...

    # --- many rows at once

    def load_rows(self, connection: Connection, row_type: type[R], keys: Sequence[Values]) -> list[R]:
        """The rows with these lookup keys, each key given once; of facts, the open ones."""
        ...

    def load_rows_of(
        self, connection: Connection, keys: Mapping[type[ProjectionRow], Sequence[Values]]
    ) -> dict[type[ProjectionRow], list[Any]]:
        """`load_rows` of several types, asked for together."""
        ...

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """Upserts and deletions in this block are sent together; their errors may come at its end."""
        ...

    def upsert_rows(self, connection: Connection, row_type: type[ProjectionRow], rows: Iterable[ProjectionRow]) -> None:
        """Write rows; those with the same primary key are replaced. Each key comes once."""
        ...

    def delete_rows(self, connection: Connection, row_type: type[ProjectionRow], keys: Sequence[Values]) -> None:
        """Delete the rows with these primary keys; those that are missing are fine."""
        ...

    def insert_row(self, connection: Connection, row: ProjectionRow) -> bool:
        """Insert a row; False when its primary key is taken, also by a transaction that commits meanwhile."""
        ...

    def insert_entries(self, connection: Connection, batches: Sequence[Collection[Values]]) -> None:
        """Append rows to `entries`, in the order of EntryRow's fields. `FileRows` need not be made into tuples."""
        ...

    def load_entries(self, connection: Connection, keys: Sequence[tuple[int, str]]) -> list[Values]:
        """The rows of `entries` with these (layer, path), of which a layer has at most one each.

        Cost: an index look-up each.
        """
        ...

    def load_layers(self, connection: Connection, layers: Sequence[int]) -> list[Values]:
        """All rows of `entries` in these layers."""
        ...

    def known_digests(self, connection: Connection, digests: Sequence[bytes]) -> set[bytes]:
        """Those of `digests` that an entry has, of whatever project and layer. One index look-up each."""
        ...

    def ranges_with_entries(self, connection: Connection, layer: int, ranges: Sequence[tuple[str, str]]) -> list[str]:
        """The starts of those path ranges, [start, end), in which a layer has an entry. One index look-up each."""
        ...
