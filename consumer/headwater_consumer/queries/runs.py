"""Runs, what they used and what they logged.

A list of edges has at most `limit`; as many as that means that there may be more, on the page `after` the last one.
"""

import json
from functools import cache
from itertools import groupby
from typing import Any

from headwater_schemas.errors import NotFound
from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, or_, select

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import INTEGER_MAX, CompiledStatement
from headwater_consumer.database.conditions import holds
from headwater_consumer.database.tables import RUN_INPUTS, RUN_OUTPUTS, RUN_STATES, RUNS
from headwater_consumer.queries.results import RunInfo, RunInputInfo
from headwater_consumer.rows import RUNNING

EDGES_MAX = 10_000  # more than a person reads, and little for a program

RunCursor = tuple[int, str]  # of the list: when a run started last, and its name
FIRST: RunCursor = (INTEGER_MAX, "")
BEGINNING = ("", -1)  # before every collection and version


def run_info(database: Database, run: str) -> RunInfo | None:
    """A run; None when it never started."""
    with database.snapshot() as connection:
        row = _one_run().first(connection, run=run)
    return None if row is None else _info(row)


def runs(
    database: Database,
    project: str,
    *,
    after: str | RunCursor | None = None,
    limit: int = 100,
    job_type: str | None = None,
    group: str | None = None,
) -> list[RunInfo]:
    """The runs of "entity/project", the last started first, at most `limit`.

    The next page: `after` = the last one's name. A run that starts again moves to the front: pass (start, name) as it
    was read to continue behind its old position.
    Raises: NotFound when there is no run of the name `after`.
    """
    with database.snapshot() as connection:
        started_us, name = _cursor_of(connection, after) if isinstance(after, str) else after or FIRST
        statement = _page_of_runs(job_type is not None, group is not None)
        rows = statement.rows(
            connection,
            project=project,
            started_us=started_us,
            after=name,
            limit=limit,
            job_type=job_type,
            group=group,
        )
    return [_info(row) for row in rows]


def count_runs(
    database: Database,
    project: str,
    *,
    after: RunCursor | None = None,
    job_type: str | None = None,
    group: str | None = None,
) -> int:
    """How many runs `runs` lists in all, or after this cursor."""
    started_us, name = after or FIRST
    statement = _run_count(job_type is not None, group is not None)
    with database.autocommit() as connection:
        count = statement.first(
            connection, project=project, started_us=started_us, after=name, job_type=job_type, group=group
        )
    return int(count[0])


def inputs_of(
    database: Database, run: str, *, after: tuple[str, int] = BEGINNING, limit: int = EDGES_MAX
) -> list[RunInputInfo]:
    """What a run used, by collection and version; the next page: `after` = the last ones."""
    collection, version = after
    with database.snapshot() as connection:
        rows = _uses_of_run().rows(connection, run=run, collection=collection, version=version, limit=limit)
    return [
        RunInputInfo(collection, version, run, tuple([row.requested for row in of_version]))
        for (collection, version), of_version in groupby(rows, key=lambda row: (row.collection, row.version))
    ]


def requested_names(database: Database, run: str, collection: str, version: int) -> list[str]:
    """The names by which a run requested a version, in order."""
    with database.snapshot() as connection:
        rows = _names_of_use().rows(connection, run=run, collection=collection, version=version, limit=EDGES_MAX)
    return [row[0] for row in rows]


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


def _cursor_of(connection: Connection, run: str) -> RunCursor:
    row = _one_run().first(connection, run=run)
    if row is None:
        raise NotFound(f"there is no run {run} to continue after. Start again from the first page.")
    return row.started_us, run


def _info(row: Any) -> RunInfo:
    return RunInfo(
        run=row.run,
        job_type=row.job_type,
        group=row.group,
        display_name=row.display_name,
        config=row.config,
        tags=tuple(json.loads(row.tags)),
        state=row.state,
        author=row.author,
        started_us=row.started_us,
        finished_us=None if row.state == RUNNING else row.time_us,
    )


# --- statements -------------------------------------------------------------------------------------------------


def _runs_with_state() -> Select[Any]:
    joined = RUNS.join(RUN_STATES, and_(RUN_STATES.c.run == RUNS.c.run, holds(RUN_STATES)))
    return select(RUNS, RUN_STATES.c.state, RUN_STATES.c.time_us).select_from(joined).where(holds(RUNS))


@cache
def _one_run() -> CompiledStatement:
    return CompiledStatement(_runs_with_state().where(RUNS.c.run == bindparam("run")))


def _started_before() -> ColumnElement[bool]:
    started_us: Any = bindparam("started_us")
    return or_(RUNS.c.started_us < started_us, and_(RUNS.c.started_us == started_us, RUNS.c.run < bindparam("after")))


@cache
def _page_of_runs(of_job_type: bool, of_group: bool) -> CompiledStatement:
    statement = _runs_with_state().where(RUNS.c.project == bindparam("project"), _started_before())
    if of_job_type:
        statement = statement.where(RUNS.c.job_type == bindparam("job_type"))
    if of_group:
        statement = statement.where(RUNS.c.group == bindparam("group"))
    return CompiledStatement(statement.order_by(RUNS.c.started_us.desc(), RUNS.c.run.desc()).limit(bindparam("limit")))


@cache
def _run_count(of_job_type: bool, of_group: bool) -> CompiledStatement:
    statement = select(func.count()).where(RUNS.c.project == bindparam("project"), holds(RUNS), _started_before())
    if of_job_type:
        statement = statement.where(RUNS.c.job_type == bindparam("job_type"))
    if of_group:
        statement = statement.where(RUNS.c.group == bindparam("group"))
    return CompiledStatement(statement)


def _comes_after(edges: Any) -> ColumnElement[bool]:
    collection: Any = bindparam("collection")
    later = and_(edges.c.collection == collection, edges.c.version > bindparam("version"))
    return or_(edges.c.collection > collection, later)


@cache
def _uses_of_run() -> CompiledStatement:
    return CompiledStatement(
        select(RUN_INPUTS)
        .where(RUN_INPUTS.c.run == bindparam("run"), _comes_after(RUN_INPUTS))
        .order_by(RUN_INPUTS.c.collection, RUN_INPUTS.c.version, RUN_INPUTS.c.from_position, RUN_INPUTS.c.requested)
        .limit(bindparam("limit"))
    )


@cache
def _names_of_use() -> CompiledStatement:
    return CompiledStatement(
        select(RUN_INPUTS.c.requested)
        .where(
            RUN_INPUTS.c.run == bindparam("run"),
            RUN_INPUTS.c.collection == bindparam("collection"),
            RUN_INPUTS.c.version == bindparam("version"),
        )
        .order_by(RUN_INPUTS.c.from_position, RUN_INPUTS.c.requested)
        .limit(bindparam("limit"))
    )


@cache
def _outputs_of_run() -> CompiledStatement:
    return CompiledStatement(
        select(RUN_OUTPUTS.c.collection, RUN_OUTPUTS.c.version)
        .where(RUN_OUTPUTS.c.run == bindparam("run"), _comes_after(RUN_OUTPUTS))
        .order_by(RUN_OUTPUTS.c.collection, RUN_OUTPUTS.c.version)
        .limit(bindparam("limit"))
    )


@cache
def _users_of_version() -> CompiledStatement:
    return CompiledStatement(
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


@cache
def _producers_of_version() -> CompiledStatement:
    return CompiledStatement(
        select(RUN_OUTPUTS.c.run)
        .where(
            RUN_OUTPUTS.c.collection == bindparam("collection"),
            RUN_OUTPUTS.c.version == bindparam("version"),
            RUN_OUTPUTS.c.from_position <= bindparam("at"),
        )
        .order_by(RUN_OUTPUTS.c.from_position, RUN_OUTPUTS.c.run)
        .limit(bindparam("limit"))
    )
