"""Leases: of several processes that could do a job, one holds it at a time; another gets it when that one is gone.

Time is the database's, so that nobody compares the clocks of two machines. A holder that was stopped for long cannot
know that its lease was taken, so what it writes to the operational tables names its fence, the number of its turn, and
is refused when that is over: see `HELD`.
"""

import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from headwater_runtime.daemon_threads import start_daemon
from headwater_schemas.errors import StoreError, StoreUnavailable

from headwater_consumer.operational.database import OperationalDatabase

LEASE_S = 10.0  # after so long without a word of its holder, another gets it
RENEW_S = 2.5  # between renewals: some may fail
JOIN_S = 5.0

HELD = "EXISTS (SELECT 1 FROM leases WHERE name = ? AND fence = ? AND holder = ?)"
"""A condition for the statements of whoever holds a lease; its values are `Lease.held`."""

_US = 1_000_000


class LeaseLost(StoreUnavailable):
    """Another holds the lease, or may hold it by now. Nothing more may be done in its name."""

    def __init__(self, lease: "Lease") -> None:
        super().__init__(
            f"the lease {lease.name!r} is lost: this process could not renew it within {LEASE_S:g} s. Another process "
            "goes on."
        )


@dataclass(frozen=True, slots=True)
class Lease:
    """One turn of one holder."""

    name: str  # the job
    fence: int  # the number of the turn: greater than that of each before it
    holder: str  # which process, and a text that no other turn has

    @property
    def held(self) -> tuple[str, int, str]:
        """The values of `HELD`."""
        return self.name, self.fence, self.holder


def take_lease(database: OperationalDatabase, name: str, *, length_s: float = LEASE_S) -> Lease | None:
    """Begin a turn; None while another's lasts. Raises: StoreError."""
    holder = f"{process_name()}, {secrets.token_hex(16)}"
    with database.statement() as statements:
        taken = statements.rows(_TAKE, name, holder, int(length_s * _US))
    return Lease(name, taken[0][0], holder) if taken else None


def process_name() -> str:
    """This process, for people who read who holds a lease."""
    return f"{socket.gethostname()}, process {os.getpid()}"


def holder_of(database: OperationalDatabase, name: str) -> str | None:
    """The process that holds a lease now, as `process_name` has it; None where none does. Raises: StoreError."""
    with database.statement() as statements:
        found = statements.first(_HOLDER, name)
    return None if found is None else str(found[0]).rpartition(", ")[0]


def renew_lease(database: OperationalDatabase, lease: Lease, *, length_s: float = LEASE_S) -> bool:
    """Prolong it; False when another has taken it meanwhile. Raises: StoreError."""
    with database.statement() as statements:
        return statements.run(_RENEW, int(length_s * _US), *lease.held) == 1


def release_lease(database: OperationalDatabase, lease: Lease) -> None:
    """End the turn, so that another can begin at once; nothing if it is over. Raises: StoreError."""
    with database.statement() as statements:
        statements.run(_RELEASE, *lease.held)


class HeldLease:
    """A lease that a thread renews inside a `with` block, which ends the turn."""

    def __init__(
        self, database: OperationalDatabase, lease: Lease, until: float, *, length_s: float, renew_s: float
    ) -> None:
        self.lease = lease
        self._database = database
        self._until = until  # by this process's clock
        self._length_s, self._renew_s = length_s, renew_s
        self._is_lost = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def take(
        cls, database: OperationalDatabase, name: str, *, length_s: float = LEASE_S, renew_s: float = RENEW_S
    ) -> "HeldLease | None":
        """Begin a turn; None while another's lasts. Raises: StoreError."""
        until = time.monotonic() + length_s  # begins before the database's time, and so ends before it
        lease = take_lease(database, name, length_s=length_s)
        return None if lease is None else cls(database, lease, until, length_s=length_s, renew_s=renew_s)

    @property
    def is_held(self) -> bool:
        """Whether the turn lasts, for certain. Asks nobody."""
        return not self._is_lost and time.monotonic() < self._until

    def check(self) -> None:
        """Call it before each step. Raises: LeaseLost."""
        if not self.is_held:
            raise LeaseLost(self.lease)

    def __enter__(self) -> Self:
        self._thread = start_daemon(self._keep, "lease")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
        with suppress(StoreError):  # then it ends by itself, later
            release_lease(self._database, self.lease)

    def _keep(self) -> None:
        while not self._ended.wait(self._renew_s) and self.is_held:
            begun = time.monotonic()
            try:
                self._is_lost = not renew_lease(self._database, self.lease, length_s=self._length_s)
            except StoreError:
                continue  # while it lasts there is time to try again
            self._until = begun + self._length_s


# --- statements -------------------------------------------------------------------------------------------------

_TAKE = """
    INSERT INTO leases (name, fence, holder, until_us) VALUES (?, 1, ?, NOW_US + ?)
    ON CONFLICT (name) DO UPDATE SET fence = leases.fence + 1, holder = excluded.holder, until_us = excluded.until_us
    WHERE leases.until_us <= NOW_US
    RETURNING fence
"""
_HOLDER = "SELECT holder FROM leases WHERE name = ? AND until_us > NOW_US"
_RENEW = "UPDATE leases SET until_us = NOW_US + ? WHERE name = ? AND fence = ? AND holder = ?"
_RELEASE = "UPDATE leases SET until_us = 0 WHERE name = ? AND fence = ? AND holder = ?"
