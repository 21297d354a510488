"""What a picture of lineage says about the nodes that it draws, and the open drafts beside them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, CompiledStatement, Statement, padded
from headwater_consumer.database.conditions import holds, is_field
from headwater_consumer.database.sql import and_, bindparam, func, or_, select
from headwater_consumer.database.tables import ALIASES, DRAFT_WRITERS, DRAFTS, RUNS, VERSION_ATTRIBUTES, VERSIONS
from headwater_consumer.rows import RECALLED

_KEYS_AT_ONCE = KEYS_PER_STATEMENT_MAX // 2  # versions have two columns
_Version = tuple[str, int]


class VersionLabel(NamedTuple):
    """What is shown of a version."""

    aliases: tuple[str, ...]  # by name
    recalled: str | None  # the reason
    size_bytes: int
    entry_count: int


class RunLabel(NamedTuple):
    """What is shown of a run."""

    display_name: str | None
    group: str | None


class OpenDraft(NamedTuple):
    """A draft that nothing was made of yet."""

    collection: str
    draft: str  # see `events.own_draft` and `events.shared_draft`
    type: str
    base: int | None  # the version that it changes
    writers: tuple[str, ...]  # the runs that write it, as far as events name them


def version_labels(database: Database, versions: Iterable[_Version]) -> dict[_Version, VersionLabel]:
    """The labels of these versions, of those that exist. Cost: a statement for 64 of them, and one for aliases."""
    found: dict[_Version, VersionLabel] = {}
    for chunk, values in _chunks(versions, ("c", "v")):
        with database.snapshot() as connection:
            aliases = defaultdict(list)
            for collection, version, alias in _aliases(chunk).tuples(connection, **values):
                aliases[collection, version].append(alias)
            for row in _versions(chunk).rows(connection, **values):
                key = row.collection, row.version
                found[key] = VersionLabel(tuple(sorted(aliases[key])), row.recalled, row.size_bytes, row.entry_count)
    return found


def run_labels(database: Database, runs: Iterable[str]) -> dict[str, RunLabel]:
    """The labels of these runs, of those that said that they started. Cost: a statement for 64 of them."""
    found = {}
    for chunk, values in _chunks(((run,) for run in runs), ("r",)):
        with database.autocommit() as connection:
            for row in _runs(chunk).rows(connection, **values):
                found[row.run] = RunLabel(row.display_name, row.group)
    return found


def drafts_beside(database: Database, collections: Iterable[str], *, limit: int) -> tuple[list[OpenDraft], int]:
    """The open drafts of these collections, at most `limit`, by collection and draft; and how many there are."""
    drafts: list[OpenDraft] = []
    count = 0
    for chunk, values in _chunks(((name,) for name in sorted(set(collections))), ("c",)):
        with database.snapshot() as connection:
            count += int(_draft_count(chunk).first(connection, **values)[0])
            rows = _drafts(chunk).rows(connection, **values, limit=limit - len(drafts))
            writers = _writers_of(connection, rows) if rows else {}
            for row in rows:
                named = sorted(writers.get((row.collection, row.draft), ()))
                drafts.append(OpenDraft(row.collection, row.draft, row.type, row.base, tuple(named)))
    return drafts, count


def _writers_of(connection: Any, rows: Sequence[Any]) -> Mapping[tuple[str, str], list[str]]:
    writers = defaultdict(list)
    for chunk, values in _chunks(((row.collection, row.draft) for row in rows), ("c", "d")):
        for collection, draft, writer in _writers(chunk).tuples(connection, **values):
            if "/" in writer:  # a run; else it is a session
                writers[collection, draft].append(writer)
    return writers


def _chunks(keys: Iterable[tuple[Any, ...]], names: Sequence[str]) -> Iterator[tuple[int, dict[str, object]]]:
    """Some keys at a time: for how many a statement must be, and its parameters."""
    wanted = sorted(set(keys))
    for first in range(0, len(wanted), _KEYS_AT_ONCE):
        chunk = padded(wanted[first : first + _KEYS_AT_ONCE])
        yield (
            len(chunk),
            {f"{name}_{i}": value for i, key in enumerate(chunk) for name, value in zip(names, key, strict=True)},
        )


# --- statements: compiled on their first use, because servers alone need them, and stay ---------------------------


@cache
def _versions(count: int) -> CompiledStatement:
    def build() -> Statement:
        recalled: Any = VERSION_ATTRIBUTES
        same = and_(
            recalled.c.collection == VERSIONS.c.collection,
            recalled.c.version == VERSIONS.c.version,
            is_field(recalled, RECALLED),
            holds(recalled),
        )
        columns = VERSIONS.c.collection, VERSIONS.c.version, VERSIONS.c.size_bytes, VERSIONS.c.entry_count
        found = select(*columns, recalled.c.value.label("recalled")).select_from(VERSIONS.outerjoin(recalled, same))
        return found.where(_is_one_of(VERSIONS, count))

    return CompiledStatement(f"versions of a picture {count}", build)


@cache
def _aliases(count: int) -> CompiledStatement:
    def build() -> Statement:
        found = select(ALIASES.c.collection, ALIASES.c.version, ALIASES.c.alias)
        return found.where(_is_one_of(ALIASES, count), holds(ALIASES))

    return CompiledStatement(f"aliases of a picture {count}", build)


@cache
def _runs(count: int) -> CompiledStatement:
    def build() -> Statement:
        found = select(RUNS.c.run, RUNS.c.display_name, RUNS.c.group)
        return found.where(RUNS.c.run.in_([bindparam(f"r_{i}") for i in range(count)]), holds(RUNS))

    return CompiledStatement(f"runs of a picture {count}", build)


@cache
def _drafts(count: int) -> CompiledStatement:
    def build() -> Statement:
        found = select(DRAFTS.c.collection, DRAFTS.c.draft, DRAFTS.c.type, DRAFTS.c.base).where(*_is_open(count))
        return found.order_by(DRAFTS.c.collection, DRAFTS.c.draft).limit(bindparam("limit"))

    return CompiledStatement(f"drafts of a picture {count}", build)


@cache
def _draft_count(count: int) -> CompiledStatement:
    def build() -> Statement:
        return select(func.count()).select_from(DRAFTS).where(*_is_open(count))

    return CompiledStatement(f"count of drafts of a picture {count}", build)


@cache
def _writers(count: int) -> CompiledStatement:
    def build() -> Statement:
        same = [
            and_(DRAFT_WRITERS.c.collection == bindparam(f"c_{i}"), DRAFT_WRITERS.c.draft == bindparam(f"d_{i}"))
            for i in range(count)
        ]
        return select(DRAFT_WRITERS.c.collection, DRAFT_WRITERS.c.draft, DRAFT_WRITERS.c.writer).where(or_(*same))

    return CompiledStatement(f"writers of drafts of a picture {count}", build)


def _is_one_of(table: Any, count: int) -> Any:
    same = [
        and_(table.c.collection == bindparam(f"c_{i}"), table.c.version == bindparam(f"v_{i}")) for i in range(count)
    ]
    return or_(*same)


def _is_open(count: int) -> list[Any]:
    named = DRAFTS.c.collection.in_([bindparam(f"c_{i}") for i in range(count)])
    return [DRAFTS.c.closed_position.is_(None), named]
