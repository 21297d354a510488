"""Which projects there are, and in which of them a name is used.

A project has no row of its own: it is there once something was logged in it. The next one is found by an index, so
listing projects costs as much as there are projects, however much is in them.
"""

from typing import TYPE_CHECKING, Any

from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import holds
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import bindparam, func, literal, select, union_all
from headwater_consumer.database.tables import COLLECTIONS, PROJECT_FACTS, RUNS
from headwater_consumer.queries.artifact_collections import has_live_version
from headwater_consumer.queries.results import ProjectInfo

if TYPE_CHECKING:
    from sqlalchemy import FromClause, Select

COUNTED_MAX = 10_000  # artifacts and runs of one project: nobody needs to know more exactly
SEARCHED_MAX = 1000  # projects in which a name is looked up
NAMES_MAX = 1000  # of one project that are compared with a name

_END = "~"  # after every project: names are letters, digits, "_", "-" and "."


def project_infos(
    database: Database, *, entity: str | None = None, after: str | None = None, limit: int = 100
) -> list[ProjectInfo]:
    """The projects that have artifacts or runs, optionally only those of one entity, by name and at most `limit`.

    The next page: `after` = the last one's name. Cost: a few index look-ups and the counting for each.
    """
    with database.snapshot() as connection:
        return [_info(connection, name) for name in _names(connection, entity, after, limit)]


def project_info(database: Database, project: str) -> ProjectInfo | None:
    """A project; None when nothing was ever logged in it and nobody set anything of it."""
    with database.snapshot() as connection:
        is_there = _is_there().first(connection, project=project) is not None
        return _info(connection, project) if is_there else None


def entities(database: Database, *, after: str | None = None, limit: int = 100) -> list[str]:
    """The entities that have projects, in the order of those, at most `limit`; the next page: `after` = the last one.

    Cost: a few index look-ups for each.
    """
    found: list[str] = []
    beyond = range_of_folder(after)[1] if after is not None else None
    with database.snapshot() as connection:
        while len(found) < limit and (names := _names(connection, None, beyond, 1)):
            found.append(names[0].partition("/")[0])
            beyond = range_of_folder(found[-1])[1]
    return found


def count_projects(database: Database, *, entity: str | None = None, after: str | None = None) -> int:
    """How many projects `project_infos` lists in all, or after the one named `after`.

    Cost: two index look-ups for each.
    """
    count = 0
    while True:
        with database.snapshot() as connection:
            names = _names(connection, entity, after, SEARCHED_MAX)
        count += len(names)
        if len(names) < SEARCHED_MAX:
            return count
        after = names[-1]


def collections_named(database: Database, name: str, *, limit: int = 100) -> list[str]:
    """The collections of this name that have live versions, at most `limit`. The first SEARCHED_MAX projects count."""
    with database.autocommit() as connection:
        rows = _collections_named().rows(connection, after="", end=_END, projects=SEARCHED_MAX, name=name, limit=limit)
    return [row[0] for row in rows]


def runs_named(database: Database, run_id: str, *, limit: int = 100) -> list[str]:
    """The runs with this id, at most `limit`. The first SEARCHED_MAX projects count."""
    with database.autocommit() as connection:
        rows = _runs_named().rows(connection, after="", end=_END, projects=SEARCHED_MAX, name=run_id, limit=limit)
    return [row[0] for row in rows]


def collection_names(database: Database, project: str, *, limit: int = NAMES_MAX) -> list[str]:
    """The first collections of "entity/project" that have live versions, as `collections`, but only their names."""
    start, end = range_of_folder(project)
    with database.autocommit() as connection:
        rows = _page_of_names().rows(connection, start=start, end=end, limit=limit)
    return [row[0] for row in rows]


def _names(connection: Connection, entity: str | None, after: str | None, limit: int) -> list[str]:
    start, end = ("", _END) if entity is None else range_of_folder(entity)
    values = {"after": max(start, after or ""), "end": end, "projects": limit}
    pages = [_page_of_projects(of_runs).rows(connection, **values) for of_runs in (False, True)]
    return sorted({row[0] for page in pages for row in page})[:limit]


def _info(connection: Connection, project: str) -> ProjectInfo:
    values = {"project": project, "counted": COUNTED_MAX}
    artifacts = _artifact_count().first(connection, **values)[0]
    return ProjectInfo(project, artifacts, _run_count().first(connection, **values)[0])


# --- statements -------------------------------------------------------------------------------------------------


def walk_projects(table: "FromClause") -> Any:
    """The projects of a table, each looked up after the one before.

    Parameters: they are between `after` and `end`, and at most `projects`.
    """
    end: Any = bindparam("end")
    first = select(func.min(table.c.project).label("project"), literal(1).label("number")).where(
        table.c.project > bindparam("after"), table.c.project < end
    )
    walk: Any = first.cte("walk", recursive=True)
    following = table.alias("following")
    after_it = (
        select(func.min(following.c.project))
        .where(following.c.project > walk.c.project, following.c.project < end)
        .scalar_subquery()
    )
    goes_on = walk.c.project.is_not(None), walk.c.number < bindparam("projects")
    return walk.union_all(select(after_it, walk.c.number + 1).where(*goes_on))


@compiled
def _page_of_projects(of_runs: bool) -> Statement:
    walk = walk_projects(RUNS if of_runs else COLLECTIONS)
    return select(walk.c.project).where(walk.c.project.is_not(None))


@compiled
def _is_there() -> Statement:
    """A row where anything of a project was recorded."""
    tables = (COLLECTIONS, RUNS, PROJECT_FACTS)
    found = [
        select(literal(1).label("one")).where(table.c.project == bindparam("project")).limit(1) for table in tables
    ]
    return union_all(*[select(one.subquery()) for one in found])


@compiled
def _collections_named() -> Statement:
    walk = walk_projects(COLLECTIONS)
    is_it = COLLECTIONS.c.collection == walk.c.project + "/" + bindparam("name")
    found = select(COLLECTIONS.c.collection).select_from(walk.join(COLLECTIONS, is_it)).where(has_live_version())
    return found.limit(bindparam("limit"))


@compiled
def _runs_named() -> Statement:
    walk = walk_projects(RUNS)
    is_it = RUNS.c.run == walk.c.project + "/" + bindparam("name")
    found = select(RUNS.c.run).select_from(walk.join(RUNS, is_it)).where(holds(RUNS))
    return found.limit(bindparam("limit"))


@compiled
def _page_of_names() -> Statement:
    within = COLLECTIONS.c.collection > bindparam("start"), COLLECTIONS.c.collection < bindparam("end")
    names = select(COLLECTIONS.c.collection).where(*within, has_live_version()).order_by(COLLECTIONS.c.collection)
    return names.limit(bindparam("limit"))


def _some_of(table: "FromClause", *conditions: Any) -> Any:
    """So many rows of a project as are counted."""
    of_project = select(table).where(table.c.project == bindparam("project"), *conditions)
    return of_project.limit(bindparam("counted")).subquery("some")


def _counted(rows: "FromClause") -> "Select[Any]":
    return select(func.count()).select_from(rows)


@compiled
def _artifact_count() -> Statement:
    some = _some_of(COLLECTIONS)
    return _counted(some).where(has_live_version(some))


@compiled
def _run_count() -> Statement:
    return _counted(_some_of(RUNS, holds(RUNS)))
