"""What became of what a writer sent: how far the projection is, what was rejected, and what drafts became.

One statement tells all of it, so that who waits asks once, and the parts fit together.
"""

from collections.abc import Collection, Sequence
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from headwater_schemas.errors import Reason

from headwater_consumer.database import Database
from headwater_consumer.database.branches import in_one_statement
from headwater_consumer.database.compiled_statements import (
    KEYS_PER_STATEMENT_MAX,
    CompiledStatement,
    Statement,
    compiled,
)
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import and_, bindparam, exists, or_, select
from headwater_consumer.database.tables import COLLECTIONS, DRAFTS, LOG_POSITIONS, REJECTIONS, SESSIONS, VERSIONS
from headwater_consumer.queries.results import Answers, Outcome, RejectionInfo, SentRange
from headwater_consumer.queries.versions import columns_of_version, facts_by_version, facts_of, info_of

if TYPE_CHECKING:
    from sqlalchemy import Select

FEW, SOME = 8, 32
KEY_COUNTS = (0, 1, FEW, SOME, KEYS_PER_STATEMENT_MAX)
VERSIONS_TOLD_MAX = 8  # drafts; of more at once nobody waits for all that is recorded about their versions
_CURSOR, _DRAFT, _REJECTION, _FACT = "cursor", "draft", "rejection", "fact"  # kinds of rows; facts have several

Draft = tuple[str, str]  # collection, id
K = TypeVar("K")


def answers(
    database: Database,
    *,
    generation: str = "",
    partitions: Collection[int] = (),
    drafts: Sequence[Draft] = (),
    ranges: Sequence[SentRange] = (),
) -> Answers:
    """How far these partitions of a log are, what these drafts became, and which events in these ranges were rejected.

    A draft that was never opened is left out; up to VERSIONS_TOLD_MAX drafts come with their versions. An event that
    arrives too early is rejected as a gap and applied when it is sent again; then it does not count.
    Cost: one statement for KEYS_PER_STATEMENT_MAX of each kind, with an index look-up for each.
    """
    with_versions = len(drafts) <= VERSIONS_TOLD_MAX
    rows: list[Any] = []
    with database.autocommit() as connection:
        # The cursors come with the first statement: what they cover, the later ones see, too.
        for start in range(0, max(len(drafts), len(ranges), 1), KEYS_PER_STATEMENT_MAX):
            part = slice(start, start + KEYS_PER_STATEMENT_MAX)
            cursors = () if start else partitions
            rows += _rows(connection, generation, cursors, drafts[part], ranges[part], with_versions)
    return _answers(rows, with_versions)


def first_rejection(
    database: Database, session: str, key: str, first_sequence: int, last_sequence: int
) -> RejectionInfo | None:
    """The first in a range, as `answers`."""
    asked = [SentRange(session, key, first_sequence, last_sequence)]
    return next(iter(answers(database, ranges=asked).rejections), None)


def _rows(
    connection: Connection,
    generation: str,
    partitions: Collection[int],
    drafts: Sequence[Draft],
    ranges: Sequence[SentRange],
    with_versions: bool,
) -> Sequence[Any]:
    if not partitions and not drafts and not ranges:
        return ()
    drafts, ranges = _filled(drafts), _filled(ranges)
    values: dict[str, object] = {"generation": generation}
    if len(partitions) == 1:
        (values["partition"],) = partitions
    values |= {f"{name}_{i}": part for i, key in enumerate(drafts) for name, part in zip("cd", key, strict=True)}
    values |= {f"{name}_{i}": part for i, one in enumerate(ranges) for name, part in zip("skfl", one, strict=True)}
    statement = _statement(min(len(partitions), 2), len(drafts), len(ranges), with_versions)
    return statement.rows(connection, **values)


def _filled(keys: Sequence[K]) -> list[K]:
    """`keys` repeated at the end up to one of KEY_COUNTS, so that a few statements serve all."""
    count = next(count for count in KEY_COUNTS if count >= len(keys))
    return [*keys] + [*keys[-1:]] * (count - len(keys))


def _answers(rows: Sequence[Any], with_versions: bool) -> Answers:
    by_kind: dict[str, list[Any]] = {_CURSOR: [], _DRAFT: [], _REJECTION: [], _FACT: []}
    for row in rows:
        by_kind[row.kind if row.kind in by_kind else _FACT].append(row)
    facts = facts_by_version(dict.fromkeys(by_kind[_FACT]))  # once, though drafts may be one version
    rejected = by_kind[_REJECTION]
    outcomes = {}
    for row in by_kind[_DRAFT]:
        has_info = with_versions and row.version is not None
        info = info_of(row, facts[row.collection, row.version]) if has_info else None
        outcomes[row.collection, row.asked] = Outcome(
            row.version, bool(row.deduplicated), bool(row.is_uncommitted), bool(row.attributes_ignored), info
        )
    rejected.sort(key=lambda row: (row.session, row.key, row.sequence, row.position))
    rejections = dict.fromkeys(
        RejectionInfo(row.session, row.key, row.sequence, row.event, row.reason, row.message) for row in rejected
    )
    return Answers({row.partition: row.offset for row in by_kind[_CURSOR]}, outcomes, list(rejections))


# --- the statement ----------------------------------------------------------------------------------------------


@cache
def _statement(partitions: int, drafts: int, ranges: int, with_versions: bool) -> CompiledStatement:
    """`partitions`: none, one, or 2 for all. Compiled on its first use, but for the usual ones."""
    if partitions and with_versions and drafts <= FEW and 1 <= ranges <= SOME:
        return _about_few(_Partitions(partitions), _Drafts(drafts), _Ranges(ranges))
    arguments = partitions, drafts, ranges, with_versions
    return CompiledStatement(f"answers{arguments}", lambda: _about(*arguments))


class _Partitions(Enum):
    ONE, SEVERAL = 1, 2


class _Drafts(Enum):
    NONE, ONE, FEW = 0, 1, FEW


class _Ranges(Enum):
    ONE, FEW, SOME = 1, FEW, SOME


@compiled
def _about_few(partitions: _Partitions, drafts: _Drafts, ranges: _Ranges) -> Statement:
    """As a job asks that uses a few versions and logs one, or a few; or a server for several jobs at once."""
    return _about(partitions.value, drafts.value, ranges.value, True)


def _about(partitions: int, drafts: int, ranges: int, with_versions: bool) -> Statement:
    branches: dict[str, Select[Any]] = {}
    if partitions:
        branches[_CURSOR] = _cursors(one=partitions == 1)
    if drafts:
        branches |= _outcomes(drafts, with_versions)
    if ranges:
        branches[_REJECTION] = _rejections(ranges)
    return in_one_statement(branches)


def _cursors(*, one: bool) -> "Select[Any]":
    found = select(LOG_POSITIONS.c.partition, LOG_POSITIONS.c.offset)
    found = found.where(LOG_POSITIONS.c.generation == bindparam("generation"))
    return found.where(LOG_POSITIONS.c.partition == bindparam("partition")) if one else found


def _outcomes(drafts: int, with_versions: bool) -> "dict[str, Select[Any]]":
    """The outcomes of drafts, and where wanted the facts about their versions."""
    named = or_(
        *[
            and_(DRAFTS.c.collection == bindparam(f"c_{i}"), DRAFTS.c.draft == bindparam(f"d_{i}"))
            for i in range(drafts)
        ]
    )
    is_uncommitted = and_(DRAFTS.c.closed_position.is_(None), DRAFTS.c.commit_payload.is_(None))
    columns = [
        DRAFTS.c.collection,
        DRAFTS.c.draft.label("asked"),
        DRAFTS.c.version,
        DRAFTS.c.deduplicated,
        is_uncommitted.label("is_uncommitted"),
        DRAFTS.c.attributes_ignored,
    ]
    if not with_versions:
        return {_DRAFT: select(*columns).where(named)}
    more = [column for column in columns_of_version() if column.name not in ("collection", "version")]
    joined = DRAFTS.outerjoin(VERSIONS, _same_version(VERSIONS))
    joined = joined.outerjoin(COLLECTIONS, COLLECTIONS.c.collection == DRAFTS.c.collection)
    facts = {
        kind: of_kind.join_from(table, DRAFTS, _same_version(table)).where(named)
        for kind, (table, of_kind) in facts_of().items()
    }
    return {_DRAFT: select(*columns, *more).select_from(joined).where(named), **facts}


def _same_version(other: Any) -> Any:
    return and_(other.c.collection == DRAFTS.c.collection, other.c.version == DRAFTS.c.version)


def _rejections(ranges: int) -> "Select[Any]":
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
    columns = ("session", "key", "sequence", "position", "event", "reason", "message")
    return select(*[rejected[name] for name in columns]).where(or_(*wanted), ~healed)
