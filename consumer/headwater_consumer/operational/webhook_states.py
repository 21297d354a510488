"""How far each webhook was told, what holds it up, and what its admins asked of it.

Whoever delivers holds the lease LEASE, and writes only while it does, and only where no admin changed the webhook since
it read it: `changes` counts that. Times are microseconds since 1970, by the clock of whoever delivers.
"""

from dataclasses import dataclass

from headwater_schemas.errors import NotFound

from headwater_consumer.operational.database import OperationalDatabase, Statements
from headwater_consumer.operational.leases import HELD, Lease
from headwater_consumer.operational.webhook_attempts import Attempt, add_attempt

LEASE = "webhooks"  # of the process that delivers
HOLDS_MAX = 100  # collections of one webhook that are held back at once

ACTIVE = "active"
PARKED = "parked"  # its receiver could not be reached for days
GONE = "gone"  # its receiver says that it is there no more
NO_RIGHTS = "no-rights"  # who made it may not read its scope any more
LOST = "lost"  # its cursor is none of this log


@dataclass(frozen=True, slots=True)
class WebhookState:
    """How far a webhook was told."""

    subscription: str
    cursor: str  # of version events
    status: str  # ACTIVE, or why it is told nothing until an admin resumes it
    reason: str  # in words; "" while all is well
    failures: int  # in a row, of what was tried last
    failing_since_us: int | None
    next_us: int  # not to be tried before
    changes: int  # by admins
    test_us: int | None  # when an admin asked for a test that was not sent yet


@dataclass(frozen=True, slots=True)
class Hold:
    """A collection or run whose next event the receiver refused: it is tried again, and its later events wait."""

    subject: str
    position: int  # of the last event of it that was told, or passed over
    index: int
    is_parked: bool  # it was refused for days, and is tried no more until an admin resumes it
    failures: int
    since_us: int
    next_us: int = 0  # not to be tried before


@dataclass(frozen=True, slots=True)
class Progress:
    """What a delivery changes."""

    cursor: str
    status: str = ACTIVE
    reason: str = ""
    failures: int = 0
    failing_since_us: int | None = None
    next_us: int = 0
    held: Hold | None = None  # begun, or tried again
    released: str | None = None  # the subject that is held back no more
    attempt: Attempt | None = None


# --- for admins -----------------------------------------------------------------------------------------------------


def begin_webhook(database: OperationalDatabase, subscription: str, cursor: str) -> None:
    """A webhook is told what follows `cursor`; nothing if it is known already. Raises: StoreError."""
    with database.statement() as statements:
        statements.run(_BEGIN, subscription, cursor, ACTIVE)


def resume_webhook(database: OperationalDatabase, subscription: str, cursor: str | None = None) -> None:
    """Have a webhook told again what it was not, from `cursor` or from where it stopped, and nothing held back.

    Raises: NotFound when nothing is known of it, and `cursor` is None; StoreError.
    """
    with database.transaction() as statements:
        if cursor is not None:
            statements.run(_BEGIN, subscription, cursor, ACTIVE)
            statements.run(_DROP_HOLDS, subscription)
        if not statements.run(_RESUME, cursor, ACTIVE, subscription):
            raise _unknown(subscription)
        statements.run(_RETRY_HOLDS, subscription)


def request_test(database: OperationalDatabase, subscription: str) -> None:
    """Ask for an event that says nothing, which is then among the attempts. Raises: NotFound, StoreError."""
    with database.statement() as statements:
        if not statements.run(_REQUEST_TEST, subscription):
            raise _unknown(subscription)


def forget_webhook(database: OperationalDatabase, subscription: str) -> None:
    """Forget all about a webhook that was removed. Raises: StoreError."""
    with database.transaction() as statements:
        for table in ("webhook_states", "webhook_holds", "webhook_attempts"):
            statements.run(f"DELETE FROM {table} WHERE subscription = ?", subscription)  # noqa: S608 - of ours


def webhook_state(database: OperationalDatabase, subscription: str) -> WebhookState | None:
    """What is known of a webhook. Raises: StoreError."""
    with database.statement() as statements:
        row = statements.first(_READ, subscription)
    return None if row is None else WebhookState(*row)


def holds_of(database: OperationalDatabase, subscription: str) -> list[Hold]:
    """What is held back, HOLDS_MAX at most, by subject. Raises: StoreError."""
    with database.statement() as statements:
        rows = statements.rows(_HOLDS, subscription, HOLDS_MAX)
    return [Hold(subject, position, index, bool(parked), *rest) for subject, position, index, parked, *rest in rows]


# --- for who delivers -----------------------------------------------------------------------------------------------


def changes_of_webhooks(database: OperationalDatabase) -> dict[str, int]:
    """How often admins changed each webhook that is known. Cost: a row for each. Raises: StoreError."""
    with database.statement() as statements:
        return dict(statements.rows(_CHANGES))


def save_progress(
    database: OperationalDatabase, lease: Lease, state: WebhookState, progress: Progress
) -> WebhookState | None:
    """Write down what a delivery changed; the state after it.

    None, and nothing is written, when the lease is over or an admin changed the webhook since `state` was read. Raises:
    StoreError.
    """
    with database.transaction() as statements:
        values = (progress.status, progress.reason, progress.failures, progress.failing_since_us, progress.next_us)
        found = (state.subscription, state.changes)
        if not statements.run(_SAVE, progress.cursor, *values, *found, *lease.held):
            return None
        _save_hold(statements, state.subscription, progress)
        if progress.attempt is not None:
            add_attempt(statements, state.subscription, progress.attempt)
    return WebhookState(state.subscription, progress.cursor, *values, state.changes, state.test_us)


def save_test(database: OperationalDatabase, lease: Lease, state: WebhookState, attempt: Attempt) -> None:
    """The test that was asked for was sent. Raises: StoreError."""
    with database.transaction() as statements:
        if statements.run(_TESTED, state.subscription, state.test_us, *lease.held):
            add_attempt(statements, state.subscription, attempt)


def _save_hold(statements: Statements, subscription: str, progress: Progress) -> None:
    if progress.released is not None:
        statements.run(_RELEASE, subscription, progress.released)
    if (hold := progress.held) is not None:
        place = (subscription, hold.subject, hold.position, hold.index)
        statements.run(_HOLD, *place, int(hold.is_parked), hold.failures, hold.since_us, hold.next_us)


def _unknown(subscription: str) -> NotFound:
    return NotFound(
        f"nothing is known yet of how far the webhook {subscription} was told. A server that delivers begins it; see "
        "`headwater webhooks list`."
    )


# --- statements -------------------------------------------------------------------------------------------------

_BEGIN = """
    INSERT INTO webhook_states (subscription, cursor, status, reason, failures, next_us, changes)
    VALUES (?, ?, ?, '', 0, 0, 0) ON CONFLICT (subscription) DO NOTHING
"""
_RESUME = """
    UPDATE webhook_states SET cursor = COALESCE(?, cursor), status = ?, reason = '', failures = 0,
        failing_since_us = NULL, next_us = 0, changes = changes + 1
    WHERE subscription = ?
"""
_RETRY_HOLDS = (
    "UPDATE webhook_holds SET is_parked = 0, failures = 0, since_us = NOW_US, next_us = 0 WHERE subscription = ?"
)
_DROP_HOLDS = "DELETE FROM webhook_holds WHERE subscription = ?"
_REQUEST_TEST = "UPDATE webhook_states SET test_us = NOW_US, changes = changes + 1 WHERE subscription = ?"
_READ = """
    SELECT subscription, cursor, status, reason, failures, failing_since_us, next_us, changes, test_us
    FROM webhook_states WHERE subscription = ?
"""
_CHANGES = "SELECT subscription, changes FROM webhook_states"
_SAVE = f"""
    UPDATE webhook_states SET cursor = ?, status = ?, reason = ?, failures = ?, failing_since_us = ?, next_us = ?
    WHERE subscription = ? AND changes = ? AND {HELD}
"""  # noqa: S608 - of ours
_TESTED = f"UPDATE webhook_states SET test_us = NULL WHERE subscription = ? AND test_us = ? AND {HELD}"  # noqa: S608
_HOLDS = """
    SELECT subject, position, record_index, is_parked, failures, since_us, next_us FROM webhook_holds
    WHERE subscription = ? ORDER BY subject LIMIT ?
"""
_HOLD = """
    INSERT INTO webhook_holds (subscription, subject, position, record_index, is_parked, failures, since_us, next_us)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (subscription, subject) DO UPDATE SET position = excluded.position,
        record_index = excluded.record_index, is_parked = excluded.is_parked, failures = excluded.failures,
        since_us = excluded.since_us, next_us = excluded.next_us
"""
_RELEASE = "DELETE FROM webhook_holds WHERE subscription = ? AND subject = ?"
