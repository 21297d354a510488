"""The outcomes of writes: of drafts, rejections, and dead letters that wait for an operator."""

from collections.abc import Sequence
from typing import Any

from headwater_schemas.errors import Reason
from headwater_schemas.positions import position_of

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, Statement, compiled, padded
from headwater_consumer.database.sql import and_, bindparam, exists, func, or_, select
from headwater_consumer.database.tables import DEAD_LETTERS, DRAFTS, LOG_POSITIONS, PARKED_RECORDS, REJECTIONS, SESSIONS
from headwater_consumer.queries.results import DeadLetterInfo, Health, Outcome, RejectionInfo, SentRange


def outcomes(database: Database, drafts: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Outcome]:
    """The outcome of each (collection, draft); a draft that was never opened is left out."""
    found: dict[tuple[str, str], Outcome] = {}
    with database.snapshot() as connection:
        for start in range(0, len(drafts), KEYS_PER_STATEMENT_MAX):
            chunk = padded(drafts[start : start + KEYS_PER_STATEMENT_MAX])
            values = {f"{name}_{i}": part for i, key in enumerate(chunk) for name, part in zip("cd", key, strict=True)}
            for collection, draft, version, *facts in _drafts(len(chunk)).rows(connection, **values):
                found[collection, draft] = Outcome(version, *map(bool, facts))
    return found


def rejections(database: Database, ranges: Sequence[SentRange]) -> list[RejectionInfo]:
    """The events in these ranges that were rejected and not applied later, each range in the order of its events.

    An event that arrives too early is rejected as a gap and applied when it is sent again; then it does not count.
    Cost: as many look-ups as ranges, whatever else their writers sent.
    """
    found: dict[RejectionInfo, None] = {}
    with database.autocommit() as connection:
        for start in range(0, len(ranges), KEYS_PER_STATEMENT_MAX):
            chunk = padded(ranges[start : start + KEYS_PER_STATEMENT_MAX])
            values = {
                f"{name}_{i}": part for i, one in enumerate(chunk) for name, part in zip("skfl", one, strict=True)
            }
            rows = _rejections(len(chunk)).rows(connection, **values)
            found |= dict.fromkeys(RejectionInfo(*row) for row in rows)
    return list(found)


def first_rejection(
    database: Database, session: str, key: str, first_sequence: int, last_sequence: int
) -> RejectionInfo | None:
    """The first in a range, as `rejections`."""
    return next(iter(rejections(database, [SentRange(session, key, first_sequence, last_sequence)])), None)


def dead_letters(database: Database, *, limit: int = 100) -> list[DeadLetterInfo]:
    """The events that wait for a decision, oldest first, at most `limit`."""
    with database.autocommit() as connection:
        rows = _dead_letters().rows(connection, limit=limit)
    return [DeadLetterInfo(row.key, position_of(row.position), row.error, row.time_us, row.waiting) for row in rows]


def health(database: Database) -> Health:
    """Cost: counts the rejections, the dead letters and the parked records."""
    with database.snapshot() as connection:
        rejections, dead, parked = _counts().first(connection)
        offsets = _positions().rows(connection)
    return Health(rejections, dead, parked, {row.partition: row.offset for row in offsets})


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _drafts(keys: int) -> Statement:
    matches = [
        and_(DRAFTS.c.collection == bindparam(f"c_{i}"), DRAFTS.c.draft == bindparam(f"d_{i}")) for i in range(keys)
    ]
    columns = [DRAFTS.c[name] for name in ("collection", "draft", "version", "deduplicated")]
    is_uncommitted = and_(DRAFTS.c.closed_position.is_(None), DRAFTS.c.commit_payload.is_(None))
    return select(*columns, is_uncommitted, DRAFTS.c.attributes_ignored).where(or_(*matches))


@compiled
def _rejections(ranges: int) -> Statement:
    """Rejections in ranges, less the events that arrived too early and were applied when they came again."""
    rejected: Any = REJECTIONS.c
    wanted = [
        and_(
            rejected.session == bindparam(f"s_{i}"),
            rejected.key == bindparam(f"k_{i}"),
            rejected.sequence.between(bindparam(f"f_{i}"), bindparam(f"l_{i}")),
        )
        for i in range(ranges)
    ]
    applied_since = exists().where(
        SESSIONS.c.partition == rejected.partition,
        SESSIONS.c.session == rejected.session,
        SESSIONS.c.key == rejected.key,
        SESSIONS.c.sequence >= rejected.sequence,
    )
    healed = and_(rejected.reason == Reason.SEQUENCE_GAP.value, applied_since)
    answer = [rejected[name] for name in ("session", "key", "sequence", "event", "reason", "message")]
    order = (rejected.session, rejected.key, rejected.sequence, rejected.position)
    return select(*answer).where(or_(*wanted), ~healed).order_by(*order)


@compiled
def _counts() -> Statement:
    return select(
        select(func.count()).select_from(REJECTIONS).scalar_subquery(),
        select(func.count()).select_from(DEAD_LETTERS).scalar_subquery(),
        select(func.count()).select_from(PARKED_RECORDS).scalar_subquery(),
    )


@compiled
def _dead_letters() -> Statement:
    letters, parked = DEAD_LETTERS.c, PARKED_RECORDS.c
    waiting = (
        select(func.count()).where(parked.partition == letters.partition, parked.key == letters.key).scalar_subquery()
    )
    columns = (letters.key, letters.position, letters.error, letters.time_us, waiting.label("waiting"))
    order = (letters.time_us, letters.position)
    return select(*columns).order_by(*order).limit(bindparam("limit"))


@compiled
def _positions() -> Statement:
    table = LOG_POSITIONS
    return select(table.c.partition, table.c.offset).order_by(table.c.partition)
