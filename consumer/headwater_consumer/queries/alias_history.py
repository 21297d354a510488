"""The history of the aliases of one collection: what each was on, since when, and who moved it there and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from headwater_schemas.version_events import ALIAS_MOVED

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import (
    INTEGER_MAX,
    KEYS_PER_STATEMENT_MAX,
    Statement,
    compiled,
    padded,
)
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import bindparam, func, literal, select
from headwater_consumer.database.tables import ALIASES, VERSION_EVENTS


@dataclass(frozen=True, slots=True)
class AliasMove:
    """An alias came to a version, or was removed."""

    alias: str
    version: int | None  # None: removed
    before: int | None  # the version that it was on
    position: int  # from which it counts
    until: int | None  # the position of the next move; None: it holds now
    time_us: int
    author: str
    message: str | None


def alias_names(database: Database, collection: str, *, after: str = "", limit: int = 100) -> list[str]:
    """The aliases that a collection has or ever had, by name and at most `limit`; the next page: `after` = the last.

    Cost: an index look-up each, however often they were moved.
    """
    with database.autocommit() as connection:
        rows = _names().tuples(connection, collection=collection, after=after, limit=limit)
    return [name for (name,) in rows]


def alias_moves(
    database: Database, collection: str, alias: str, *, before: int | None = None, limit: int = 100
) -> list[AliasMove]:
    """The moves of an alias, the last first and at most `limit`; the next page: `before` = the last one's position.

    Cost: two index look-ups each.
    """
    with database.snapshot() as connection:
        values = {"collection": collection, "alias": alias, "before": INTEGER_MAX if before is None else before}
        stays = _stays().rows(connection, **values, limit=limit)
        events = _moves_at(connection, collection, alias, _positions_of(stays))
    moves = [_move(alias, row, until) for row, until in _in_order(events, stays, before)]
    return [move for move in moves if before is None or move.position < before][:limit]


def _positions_of(stays: Sequence[Any]) -> list[int]:
    positions = {row.from_position for row in stays} | {row.to_position for row in stays if row.to_position is not None}
    return sorted(positions)


def _moves_at(connection: Connection, collection: str, alias: str, positions: Sequence[int]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(positions), KEYS_PER_STATEMENT_MAX):
        chunk = padded(positions[start : start + KEYS_PER_STATEMENT_MAX])
        values = {f"position_{i}": position for i, position in enumerate(chunk)}
        found += _events_at(len(chunk)).rows(connection, collection=collection, alias=alias, **values)
    return found


def _in_order(events: Iterable[Any], stays: Sequence[Any], before: int | None) -> list[tuple[Any, int | None]]:
    """The events, the last first, each with the position of the next one; `before`: of what follows them all."""
    until = {row.from_position: row.to_position for row in stays}
    newest_first = sorted(events, key=lambda row: (row.position, row.record_index), reverse=True)
    ordered: list[tuple[Any, int | None]] = []
    later = before
    for row in newest_first:
        ordered.append((row, until.get(row.position, later)))
        later = row.position
    return ordered


def _move(alias: str, row: Any, until: int | None) -> AliasMove:
    return AliasMove(alias, row.version, row.before, row.position, until, row.time_us, row.author, row.message)


@compiled
def _names() -> Statement:
    first = select(func.min(ALIASES.c.alias).label("alias"), literal(1).label("number")).where(
        ALIASES.c.collection == bindparam("collection"), ALIASES.c.alias > bindparam("after")
    )
    walk: Any = first.cte("walk", recursive=True)
    following = ALIASES.alias("following")
    after_it = (
        select(func.min(following.c.alias))
        .where(following.c.collection == bindparam("collection"), following.c.alias > walk.c.alias)
        .scalar_subquery()
    )
    goes_on = walk.c.alias.is_not(None), walk.c.number < bindparam("limit")
    walk = walk.union_all(select(after_it, walk.c.number + 1).where(*goes_on))
    return select(walk.c.alias).where(walk.c.alias.is_not(None))


@compiled
def _stays() -> Statement:
    """When an alias was on which version."""
    of_alias = ALIASES.c.collection == bindparam("collection"), ALIASES.c.alias == bindparam("alias")
    before: Any = bindparam("before")
    found = select(ALIASES.c.from_position, ALIASES.c.to_position).where(*of_alias, ALIASES.c.from_position < before)
    return found.order_by(ALIASES.c.from_position.desc()).limit(bindparam("limit"))


@compiled
def _events_at(count: int) -> Statement:
    event = VERSION_EVENTS.c
    return select(VERSION_EVENTS).where(
        event.position.in_([bindparam(f"position_{i}") for i in range(count)]),
        event.subject == bindparam("collection"),
        event.kind == ALIAS_MOVED,
        event.detail == bindparam("alias"),
    )
