"""Answers that cross projects: what their caller may not read is taken out, as if it were not recorded.

A list is read on until it has as many as were asked for, so that a short one means that there are no more.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, TypeVar

from headwater_consumer import queries
from headwater_consumer.queries import Lineage, ProjectInfo, VersionInfo
from headwater_consumer.queries.reads import ListQuery
from headwater_consumer.queries.reclaimable import Dependents
from headwater_consumer.queries.results import VersionEventInfo
from headwater_schemas.access import READER
from headwater_schemas.version_events import ARTIFACT_USED, DETAILS

from headwater_server.access.visible import projects_seen
from headwater_server.http.problems import Problem
from headwater_server.lists import CHARACTERS_MAX, characters_in
from headwater_server.reading.asked import Asked

READ_AT_ONCE = 1000
SCANNED_MAX = 100_000  # rows that are read for one list

T = TypeVar("T")
Ends = Callable[[Any], Iterable[str]]  # what an item names: its caller must be allowed to read all of it


def paged(ends: Ends) -> Callable[[Asked], list[Any]]:
    """A `ListQuery`."""

    def rule(asked: Asked) -> list[Any]:
        if asked.sees_all:
            return list(asked.answer())
        limit, characters = asked.arguments["limit"], 0
        found: list[Any] = []
        for item in _all_items(asked):
            if not asked.may_read_all(ends(item)):
                continue
            found.append(item)
            characters += characters_in(item)
            if len(found) == limit or characters >= CHARACTERS_MAX:
                asked.more = len(found) < limit
                return found
        asked.more = False
        return found

    return rule


def _all_items(asked: Asked) -> Iterator[Any]:
    query, scanned = asked.query, 0
    assert isinstance(query, ListQuery)
    last = asked.arguments[query.by]
    while page := asked.answer(**{query.by: last}, limit=READ_AT_ONCE):
        yield from page
        last, scanned = query.key(page[-1]), scanned + len(page)
        _check_scanned(asked, scanned)


def whole(ends: Ends) -> Callable[[Asked], list[Any]]:
    """A list that has no next page."""
    return lambda asked: _filled(asked, lambda found: [one for one in found if asked.may_read_all(ends(one))], len)


def dependents(asked: Asked) -> Dependents:
    """The runs that used a version, and what they logged."""

    def visible(found: Dependents) -> Dependents:
        runs, versions = found
        return [one for one in runs if asked.may_read(one)], [one for one in versions if asked.may_read(one[0])]

    found = _filled(
        asked, visible, lambda both: min(len(both[0]), len(both[1])), lambda both: max(len(both[0]), len(both[1]))
    )
    limit = asked.arguments["limit"]
    return found[0][:limit], found[1][:limit]


def _filled(
    asked: Asked, visible: Callable[[T], T], count: Callable[[T], int], count_read: Callable[[T], int] | None = None
) -> T:
    """As much as was asked for, or all there is: more is read as long as too much of it is hidden."""
    limit = read = asked.arguments["limit"]
    while True:
        answer: T = asked.answer(limit=read)
        found = visible(answer)
        if count(found) >= limit or (count_read or count)(answer) < read:
            return found[:limit] if isinstance(found, list) else found  # type: ignore[return-value]
        _check_scanned(asked, read := 4 * read)


def _check_scanned(asked: Asked, rows: int) -> None:
    if rows > SCANNED_MAX:
        raise Problem(
            HTTPStatus.CONFLICT,
            "too-much-hidden",
            f"of the first {SCANNED_MAX:,} rows of {asked.query.name} you may read too few.",
            "Ask about one project, or with a role in more of them.",
            asked.query.name,
        )


# --- projects -----------------------------------------------------------------------------------------------------


def projects(asked: Asked) -> list[ProjectInfo]:
    """Those that its caller may read."""
    return projects_seen(asked.database, asked.caller, **asked.arguments)


def count_projects(asked: Asked) -> int:
    """As `projects`. Cost: that of the entities and projects in which its caller has roles."""
    scopes = asked.caller.scopes(READER)
    if scopes is None:
        return int(asked.answer())
    entity, after = asked.arguments["entity"], asked.arguments["after"] or ""
    chosen = {scope for scope in scopes if entity in (None, scope.partition("/")[0])}
    counts = [queries.count_projects(asked.database, entity=one, after=after) for one in chosen if "/" not in one]
    alone = {scope for scope in chosen if "/" in scope and scope > after and scope.partition("/")[0] not in chosen}
    return sum(counts) + sum(queries.project_info(asked.database, one) is not None for one in alone)


# --- versions and runs --------------------------------------------------------------------------------------------


def version(asked: Asked) -> VersionInfo | None:
    """A version, without the run that logged it where that is hidden."""
    found: VersionInfo | None = asked.answer()
    return None if found is None else _without_hidden_run(asked, found)


def versions(asked: Asked) -> list[VersionInfo]:
    """As `version`."""
    return [_without_hidden_run(asked, info) for info in asked.answer()]


def _without_hidden_run(asked: Asked, info: VersionInfo) -> VersionInfo:
    return info if info.run is None or asked.may_read(info.run) else replace(info, run=None)


def history(asked: Asked) -> list[VersionEventInfo]:
    """What happened, but for uses by hidden runs, and without the names of hidden runs that logged."""
    found = _visible_history(asked)
    runs = {event.detail for event in found if DETAILS.get(event.kind) == "run" and event.detail is not None}
    hidden = {run for run in runs if not asked.may_read(run)}
    return [replace(event, detail=None) if event.detail in hidden else event for event in found]


def _ends_of_event(event: VersionEventInfo) -> list[str]:
    used_by = [event.detail] if event.kind == ARTIFACT_USED and event.detail is not None else []
    return [event.subject, *used_by]


_visible_history = paged(_ends_of_event)


def purposes(asked: Asked) -> dict[tuple[str, int, str], tuple[str, ...]]:
    """Of uses of which its caller may read both ends."""
    runs = [run for run in asked.arguments["runs"] if asked.may_read(run)]
    return {edge: found for edge, found in asked.answer(runs=runs).items() if asked.may_read(edge[0])}


def lineage(asked: Asked) -> Lineage:
    """What is reached by edges of which its caller may read both ends: not what lies behind others."""
    found: Lineage = asked.answer()
    if asked.sees_all:
        return found
    visible = [row for row in found.rows if asked.may_read(row[0]) and asked.may_read(row[2])]
    reached = _reached(visible, (found.collection, found.version), upstream=found.upstream)
    rows = tuple(row for row in visible if _ends(row, upstream=found.upstream)[0] in reached)
    return replace(found, rows=rows)


def _reached(rows: Sequence[tuple[Any, ...]], start: object, *, upstream: bool) -> set[object]:
    """The nodes to which these edges lead from `start`."""
    beyond: dict[object, list[object]] = defaultdict(list)
    for row in rows:
        near, far = _ends(row, upstream=upstream)
        beyond[near].append(far)
    reached, waiting = {start}, [start]
    while waiting:
        new = set(beyond[waiting.pop()]) - reached
        reached |= new
        waiting += new
    return reached


def _ends(row: tuple[Any, ...], *, upstream: bool) -> tuple[object, object]:
    """Where an edge comes from and where it leads, as one walks."""
    version, run = (row[0], row[1]), row[2]
    return (run, version) if bool(row[3]) == upstream else (version, run)
