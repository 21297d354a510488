"""Runs, what they used and what they logged.

A list of edges has at most `limit`; as many as that means that there may be more, on the page `after` the last one.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from headwater_schemas.captures import Capture
from headwater_schemas.errors import NotFound
from headwater_schemas.metadata import EMPTY
from headwater_schemas.names import check_commit_prefix

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import (
    INTEGER_MAX,
    KEYS_PER_STATEMENT_MAX,
    Statement,
    compiled,
    padded,
)
from headwater_consumer.database.conditions import holds
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import and_, bindparam, func, or_, select
from headwater_consumer.database.tables import (
    RUN_CAPTURES,
    RUN_HEARTBEATS,
    RUN_INPUTS,
    RUN_OUTPUTS,
    RUN_STATES,
    RUN_VALUES,
    RUNS,
)
from headwater_consumer.queries.results import RunInfo, RunInputInfo
from headwater_consumer.rows import CONFIG, RUNNING, SUMMARY

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause, Select

EDGES_MAX = 10_000  # more than a person reads, and little for a program

# Of the list: when a run started last, and the position of that start, which orders those of one time by partition and
# offset.
RunCursor = tuple[int, int]
FIRST: RunCursor = (INTEGER_MAX, INTEGER_MAX)
AFTER_HEXADECIMAL = "g"  # sorts after every digit
BEGINNING = ("", -1)  # before every collection and version


def run_info(database: Database, run: str) -> RunInfo | None:
    """A run; None when it never started."""
    with database.snapshot() as connection:
        row = _one_run().first(connection, run=run)
    return None if row is None else _info(row)


def capture_of(database: Database, run: str) -> Capture | None:
    """What a run executes, with its environment; None where that was not captured, or not yet."""
    with database.snapshot() as connection:
        row = _capture_of_run().first(connection, run=run)
    return None if row is None else Capture(*row)


def runs(
    database: Database,
    project: str,
    *,
    after: str | RunCursor | None = None,
    limit: int = 100,
    job_type: str | None = None,
    group: str | None = None,
    commit: str | None = None,
) -> list[RunInfo]:
    """The runs of "entity/project", the last started first, at most `limit`. `commit`: the first digits of its id.

    The next page: `after` = the last one's name. A run that starts again moves to the front: pass `cursor_of` it as it
    was read to continue behind its old position.
    Raises: NotFound when there is no run of the name `after`; InvalidName when no commit can begin with `commit`.
    """
    chosen = _Chosen(project, job_type, group, commit)
    with database.snapshot() as connection:
        cursor = _cursor_named(connection, after) if isinstance(after, str) else after or FIRST
        rows = _page_of_runs(chosen.kinds).rows(connection, **chosen.values(cursor), limit=limit)
    return [_info(row) for row in rows]


def count_runs(
    database: Database,
    project: str,
    *,
    after: RunCursor | None = None,
    job_type: str | None = None,
    group: str | None = None,
    commit: str | None = None,
) -> int:
    """How many runs `runs` lists in all, or after this cursor. Raises: as `runs`."""
    chosen = _Chosen(project, job_type, group, commit)
    with database.autocommit() as connection:
        count = _run_count(chosen.kinds).first(connection, **chosen.values(after or FIRST))
    return int(count[0])


def cursor_of(info: RunInfo) -> RunCursor:
    """Where a run stands in the list of `runs`."""
    return info.started_us, info.started_position


def inputs_of(
    database: Database, run: str, *, after: tuple[str, int] = BEGINNING, limit: int = EDGES_MAX
) -> list[RunInputInfo]:
    """What a run used, by collection and version; the next page: `after` = the last ones."""
    collection, version = after
    with database.snapshot() as connection:
        rows = _uses_of_run().rows(connection, run=run, collection=collection, version=version, limit=limit)
    return [
        _input(collection, version, run, list(of_version))
        for (collection, version), of_version in groupby(rows, key=lambda row: (row.collection, row.version))
    ]


def input_of(database: Database, run: str, collection: str, version: int) -> RunInputInfo:
    """How a run used a version; without any name where it did not."""
    with database.snapshot() as connection:
        rows = _one_use().rows(connection, run=run, collection=collection, version=version, limit=EDGES_MAX)
    return _input(collection, version, run, rows)


def purposes_of(database: Database, runs: Iterable[str]) -> dict[tuple[str, int, str], tuple[str, ...]]:
    """(collection, version, run) → the purposes, in order, of all uses by these runs for which any was given."""
    found: dict[tuple[str, int, str], dict[str, None]] = {}
    wanted = sorted(set(runs))
    with database.snapshot() as connection:
        for first in range(0, len(wanted), KEYS_PER_STATEMENT_MAX):
            names = padded(wanted[first : first + KEYS_PER_STATEMENT_MAX])
            values = {f"run_{i}": name for i, name in enumerate(names)}
            for *edge, purpose in _purposes_of_runs(len(names)).tuples(connection, **values):
                found.setdefault((edge[0], edge[1], edge[2]), {})[purpose] = None
    return {edge: tuple(purposes) for edge, purposes in found.items()}


def _input(collection: str, version: int, run: str, rows: Sequence[Any]) -> RunInputInfo:
    requested = dict.fromkeys(row.requested for row in rows)
    purposes = dict.fromkeys(row.use_as for row in rows if row.use_as)
    return RunInputInfo(collection, version, run, tuple(requested), tuple(purposes))


def outputs_of(
    database: Database, run: str, *, after: tuple[str, int] = BEGINNING, limit: int = EDGES_MAX
) -> list[tuple[str, int]]:
    """(collection, version) of all that a run logged, existing versions with the same content included; in that order.

    The next page: `after` = the last one.
    """
    collection, version = after
    with database.snapshot() as connection:
        rows = _outputs_of_run().rows(connection, run=run, collection=collection, version=version, limit=limit)
    return [(collection, version) for collection, version in rows]


def used_by(
    database: Database,
    collection: str,
    version: int,
    *,
    at: int | None = None,
    after: str = "",
    limit: int = EDGES_MAX,
) -> list[str]:
    """The runs that used a version, by name; the next page: `after` = the last one. `at`: as `versions` explains."""
    wanted = {"collection": collection, "version": version, "at": INTEGER_MAX if at is None else at}
    with database.snapshot() as connection:
        rows = _users_of_version().rows(connection, **wanted, after=after, limit=limit)
    return [row[0] for row in rows]


def producers_of(
    database: Database, collection: str, version: int, *, at: int | None = None, limit: int = EDGES_MAX
) -> list[str]:
    """The runs that logged a version, in order. `at`: as `versions` explains."""
    with database.snapshot() as connection:
        rows = _producers_of_version().rows(
            connection, collection=collection, version=version, at=INTEGER_MAX if at is None else at, limit=limit
        )
    return [row[0] for row in rows]


class _Chosen(NamedTuple):
    """Which runs of a project are asked for."""

    project: str
    job_type: str | None
    group: str | None
    commit: str | None

    @property
    def kinds(self) -> tuple[bool, bool, bool]:
        """By which conditions, of those that can be left out."""
        return self.job_type is not None, self.group is not None, self.commit is not None

    def values(self, cursor: RunCursor) -> dict[str, object]:
        """The parameters of a statement. Raises: InvalidName."""
        started_us, position = cursor
        first = None if self.commit is None else check_commit_prefix(self.commit)
        last = None if first is None else first + AFTER_HEXADECIMAL
        values = {"project": self.project, "job_type": self.job_type, "group": self.group}
        return {**values, "started_us": started_us, "position": position, "first": first, "last": last}


def _cursor_named(connection: Connection, run: str) -> RunCursor:
    row = _one_run().first(connection, run=run)
    if row is None:
        raise NotFound(f"there is no run {run} to continue after. Start again from the first page.")
    return cursor_of(_info(row))


def _info(row: Any) -> RunInfo:
    return RunInfo(
        run=row.run,
        job_type=row.job_type,
        group=row.group,
        display_name=row.display_name,
        config=row.config or EMPTY,
        summary=row.summary or EMPTY,
        tags=tuple(json.loads(row.tags)),
        state=row.state,
        author=row.author,
        started_us=row.started_us,
        started_position=row.from_position,
        finished_us=None if row.state == RUNNING else row.time_us,
        heartbeat_us=row.heartbeat_us,
        heartbeat_due_us=row.due_us,
        capture=_capture(row),
    )


def _capture(row: Any) -> Capture | None:
    if not row.captured:
        return None
    return Capture(row.commit, row.remote, row.branch, row.dirty)


# --- statements -------------------------------------------------------------------------------------------------


def _described_runs() -> "Select[Any]":
    config, summary = RUN_VALUES.alias("config"), RUN_VALUES.alias("summary")
    beats, captures = RUN_HEARTBEATS, RUN_CAPTURES
    joined = (
        RUNS.join(RUN_STATES, _is_present(RUN_STATES))
        .outerjoin(config, and_(_is_present(config), config.c.field == CONFIG))
        .outerjoin(summary, and_(_is_present(summary), summary.c.field == SUMMARY))
        .outerjoin(beats, _is_present(beats))
        .outerjoin(captures, _is_present(captures))
    )
    columns = (
        *(RUNS, RUN_STATES.c.state, RUN_STATES.c.time_us),
        *(config.c.value.label("config"), summary.c.value.label("summary")),
        *(beats.c.append_us.label("heartbeat_us"), beats.c.due_us),
        *(captures.c.commit, captures.c.remote, captures.c.branch, captures.c.dirty),
        captures.c.run.is_not(None).label("captured"),
    )
    return select(*columns).select_from(joined).where(holds(RUNS))


def _is_present(fact: "FromClause") -> "ColumnElement[bool]":
    return and_(fact.c.run == RUNS.c.run, holds(fact))


@compiled
def _one_run() -> Statement:
    return _described_runs().where(RUNS.c.run == bindparam("run"))


@compiled
def _capture_of_run() -> Statement:
    columns = [RUN_CAPTURES.c[field.name] for field in fields(Capture)]
    return select(*columns).where(RUN_CAPTURES.c.run == bindparam("run"), holds(RUN_CAPTURES))


def _chosen_runs(of_job_type: bool, of_group: bool, of_commit: bool) -> "list[ColumnElement[bool]]":
    started_us: Any = bindparam("started_us")
    position: Any = bindparam("position")
    same_time = and_(RUNS.c.started_us == started_us, RUNS.c.from_position < position)
    conditions = [RUNS.c.project == bindparam("project"), holds(RUNS), or_(RUNS.c.started_us < started_us, same_time)]
    if of_job_type:
        conditions.append(RUNS.c.job_type == bindparam("job_type"))
    if of_group:
        conditions.append(RUNS.c.group == bindparam("group"))
    if of_commit:
        # By its own index: a project can have many runs, of which few are of one commit.
        commit, of_project = RUN_CAPTURES.c.commit, RUN_CAPTURES.c.project == bindparam("project")
        begins = and_(commit >= bindparam("first"), commit < bindparam("last"))
        conditions.append(RUNS.c.run.in_(select(RUN_CAPTURES.c.run).where(of_project, begins, holds(RUN_CAPTURES))))
    return conditions


@compiled
def _page_of_runs(kinds: tuple[bool, bool, bool]) -> Statement:
    newest_first = (RUNS.c.started_us.desc(), RUNS.c.from_position.desc())
    statement = _described_runs().where(*_chosen_runs(*kinds)).order_by(*newest_first)
    return statement.limit(bindparam("limit"))


@compiled
def _run_count(kinds: tuple[bool, bool, bool]) -> Statement:
    return select(func.count()).select_from(RUNS).where(*_chosen_runs(*kinds))


def _comes_after(edges: Any) -> "ColumnElement[bool]":
    collection: Any = bindparam("collection")
    later = and_(edges.c.collection == collection, edges.c.version > bindparam("version"))
    return or_(edges.c.collection > collection, later)


@compiled
def _uses_of_run() -> Statement:
    return (
        select(RUN_INPUTS)
        .where(RUN_INPUTS.c.run == bindparam("run"), _comes_after(RUN_INPUTS))
        .order_by(RUN_INPUTS.c.collection, RUN_INPUTS.c.version, RUN_INPUTS.c.from_position, RUN_INPUTS.c.requested)
        .limit(bindparam("limit"))
    )


@compiled
def _one_use() -> Statement:
    return (
        select(RUN_INPUTS.c.requested, RUN_INPUTS.c.use_as)
        .where(
            RUN_INPUTS.c.run == bindparam("run"),
            RUN_INPUTS.c.collection == bindparam("collection"),
            RUN_INPUTS.c.version == bindparam("version"),
        )
        .order_by(RUN_INPUTS.c.from_position, RUN_INPUTS.c.requested)
        .limit(bindparam("limit"))
    )


@compiled
def _purposes_of_runs(count: int) -> Statement:
    of_runs = RUN_INPUTS.c.run.in_([bindparam(f"run_{i}") for i in range(count)])
    return (
        select(RUN_INPUTS.c.collection, RUN_INPUTS.c.version, RUN_INPUTS.c.run, RUN_INPUTS.c.use_as)
        .where(of_runs, RUN_INPUTS.c.use_as != "")
        .order_by(RUN_INPUTS.c.from_position)
    )


@compiled
def _outputs_of_run() -> Statement:
    return (
        select(RUN_OUTPUTS.c.collection, RUN_OUTPUTS.c.version)
        .where(RUN_OUTPUTS.c.run == bindparam("run"), _comes_after(RUN_OUTPUTS))
        .order_by(RUN_OUTPUTS.c.collection, RUN_OUTPUTS.c.version)
        .limit(bindparam("limit"))
    )


@compiled
def _users_of_version() -> Statement:
    return (
        select(RUN_INPUTS.c.run)
        .where(
            RUN_INPUTS.c.collection == bindparam("collection"),
            RUN_INPUTS.c.version == bindparam("version"),
            RUN_INPUTS.c.from_position <= bindparam("at"),
            RUN_INPUTS.c.run > bindparam("after"),
        )
        .distinct()
        .order_by(RUN_INPUTS.c.run)
        .limit(bindparam("limit"))
    )


@compiled
def _producers_of_version() -> Statement:
    return (
        select(RUN_OUTPUTS.c.run)
        .where(
            RUN_OUTPUTS.c.collection == bindparam("collection"),
            RUN_OUTPUTS.c.version == bindparam("version"),
            RUN_OUTPUTS.c.from_position <= bindparam("at"),
        )
        .order_by(RUN_OUTPUTS.c.from_position, RUN_OUTPUTS.c.run)
        .limit(bindparam("limit"))
    )
