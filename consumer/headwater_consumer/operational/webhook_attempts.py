"""The delivery log: what was sent to each webhook, and what its receiver answered, for its admins."""

from dataclasses import dataclass

from headwater_consumer.operational.database import OperationalDatabase, Statements

ATTEMPTS_KEPT_MAX = 500  # of one webhook
ANSWER_LENGTH_MAX = 1024  # characters of what a receiver answered

_TRIMMED_EVERY = 50  # attempts
_NUL = "\0"  # which PostgreSQL cannot store


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, or why there was none."""

    event: str  # the id of the version event
    kind: str
    subject: str  # the collection or run
    outcome: str  # in one word
    status: int | None  # of HTTP; None where there was no answer
    milliseconds: int  # it took
    answer: str  # the first of the answer's body, or why there was none


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """An attempt, and when it was."""

    number: int  # counts the attempts of the webhook
    time_us: int  # when it ended, by the database's clock
    attempt: Attempt


def attempts_of(
    database: OperationalDatabase, subscription: str, *, before: int | None = None, limit: int = 100
) -> list[LoggedAttempt]:
    """The last attempts, newest first, at most `limit`; the next page is before the number of the last one.

    Raises: StoreError.
    """
    with database.statement() as statements:
        rows = statements.rows(_LIST, subscription, (1 << 62) if before is None else before, limit)
    return [LoggedAttempt(number, time_us, Attempt(*rest)) for number, time_us, *rest in rows]


def add_attempt(statements: Statements, subscription: str, attempt: Attempt) -> None:
    """Log an attempt, and forget those before the last ATTEMPTS_KEPT_MAX, now and then."""
    ((number,),) = statements.rows(_NEXT, subscription)
    answer = attempt.answer.replace(_NUL, "\N{REPLACEMENT CHARACTER}")[:ANSWER_LENGTH_MAX]
    about = (attempt.event, attempt.kind, attempt.subject, attempt.outcome)
    statements.run(_ADD, subscription, number, *about, attempt.status, attempt.milliseconds, answer)
    if number % _TRIMMED_EVERY == 0:
        statements.run(_TRIM, subscription, number - ATTEMPTS_KEPT_MAX)


# --- statements -------------------------------------------------------------------------------------------------

_NEXT = "SELECT COALESCE(MAX(number), 0) + 1 FROM webhook_attempts WHERE subscription = ?"
_ADD = """
    INSERT INTO webhook_attempts
        (subscription, number, time_us, event, kind, subject, outcome, status, milliseconds, answer)
    VALUES (?, ?, NOW_US, ?, ?, ?, ?, ?, ?, ?)
"""
_TRIM = "DELETE FROM webhook_attempts WHERE subscription = ? AND number <= ?"
_LIST = """
    SELECT number, time_us, event, kind, subject, outcome, status, milliseconds, answer FROM webhook_attempts
    WHERE subscription = ? AND number < ? ORDER BY number DESC LIMIT ?
"""
