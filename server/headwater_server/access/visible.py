"""Which projects a caller sees: those of its grants alone, so that others cost nothing and show in nothing."""

from collections.abc import Sequence

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import ProjectInfo
from headwater_schemas.access import READER

from headwater_server.access.caller import Caller


def projects_seen(
    database: Database, caller: Caller, *, entity: str | None, after: str | None, limit: int
) -> list[ProjectInfo]:
    """The projects that it may read, by name. Cost: a few index look-ups for each project, and for each grant."""
    scopes = caller.scopes(READER)
    if scopes is None:
        return queries.project_infos(database, entity=entity, after=after, limit=limit)
    found: dict[str, ProjectInfo] = {}
    for scope in scopes:
        if entity in (None, scope.partition("/")[0]):
            found |= {info.project: info for info in _of_scope(database, scope, after or "", limit)}
    return [info for _, info in sorted(found.items())[:limit]]


def entities_seen(database: Database, caller: Caller, *, after: str | None, limit: int) -> list[str]:
    """The entities that have projects that it may read, each once, in an order that stays."""
    scopes = caller.scopes(READER)
    if scopes is None:
        return queries.entities(database, after=after, limit=limit)
    named = sorted({scope.partition("/")[0] for scope in scopes})
    return [
        entity
        for entity in named
        if entity > (after or "") and projects_seen(database, caller, entity=entity, after=None, limit=1)
    ][:limit]


def scopes_seen(caller: Caller) -> Sequence[str] | None:
    """The entities and projects that it may read, none within another; None: all."""
    granted = caller.scopes(READER)
    return None if granted is None else outermost(granted)


def outermost(scopes: Sequence[str]) -> Sequence[str]:
    """Those of some entities and projects that are not within another, in order."""
    entities = {scope for scope in scopes if "/" not in scope}
    return sorted(scope for scope in scopes if scope in entities or scope.partition("/")[0] not in entities)


def _of_scope(database: Database, scope: str, after: str, limit: int) -> list[ProjectInfo]:
    if "/" not in scope:
        return queries.project_infos(database, entity=scope, after=after, limit=limit)
    info = queries.project_info(database, scope) if scope > after else None
    return [] if info is None else [info]
