"""What a request for version events asks for, as far as the caller may read it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Query
from headwater_consumer.queries.results import EventFilter
from headwater_consumer.subscriptions.starting import starting_cursor
from headwater_schemas.access import READER, entity_of
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.names import check_alias, check_name, check_project, check_type
from headwater_schemas.version_events import check_kinds

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.http.problems import not_found
from headwater_server.service import Service

CURSOR_LENGTH_MAX = 64 * 1024  # characters; a cursor has some eight for each partition
TEXT_LENGTH_MAX = 1024

_AFTER = "`start`, `now`, a time with its zone, a cut that a write returned, or the `cursor` of an event."

After = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX, description=_AFTER)]
LastEventId = Annotated[
    str | None, Header(max_length=CURSOR_LENGTH_MAX, description="As `after`, which it comes before.")
]
_Text = Annotated[str | None, Query(max_length=TEXT_LENGTH_MAX)]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for which events."""

    caller: Caller
    wanted: EventFilter

    @property
    def thing(self) -> str:
        """Where the events are of, as messages name it."""
        project, entity = self.wanted.project, self.wanted.entity
        if project is not None:
            return f"project {project}"
        return "event" if entity is None else f"entity {entity}"

    async def renewed(self) -> "Asked | None":
        """The same with the caller's rights as they are now; None where it may not read any of this any more.

        Raises: Problem when its token was revoked or has expired.
        """
        caller = await self.caller.renewed()
        project = self.wanted.project
        if project is not None and not caller.may(READER, project):
            return None
        scopes = _scopes(caller)
        if caller is self.caller and scopes == self.wanted.scopes:
            return self
        asked = Asked(caller, replace(self.wanted, scopes=scopes))
        return None if self._may_read_some() and not asked._may_read_some() else asked

    def _may_read_some(self) -> bool:
        scopes, entity = self.wanted.scopes, self.wanted.entity
        return scopes is None or any(entity in (None, entity_of(scope)) for scope in scopes)


def asked_events(
    caller: CallerOf,
    project: Annotated[
        str | None, Query(max_length=TEXT_LENGTH_MAX, description="Only of this `entity/project`.")
    ] = None,
    entity: Annotated[str | None, Query(max_length=TEXT_LENGTH_MAX, description="Only of this entity.")] = None,
    type: Annotated[  # noqa: A002 - its name in the interface
        str | None, Query(max_length=TEXT_LENGTH_MAX, description="Only about artifacts of this type.")
    ] = None,
    alias: Annotated[str | None, Query(max_length=TEXT_LENGTH_MAX, description="Only moves of this alias.")] = None,
    kind: Annotated[list[str] | None, Query(max_length=64, description="Only of these kinds.")] = None,
) -> Asked:
    """Which events are asked for. Raises: InvalidInput; Problem for a project that the caller may not read."""
    if project is not None and not caller.may(READER, check_project(project)):
        raise not_found(f"project {project}")
    wanted = EventFilter(
        scopes=_scopes(caller),
        project=project,
        entity=None if entity is None else check_name(entity, "entity"),
        type=None if type is None else check_type(type),
        alias=None if alias is None else check_alias(alias),
        kinds=check_kinds(kind or ()),
    )
    return Asked(caller, wanted)


AskedEvents = Annotated[Asked, Depends(asked_events)]


async def start_of(service: Service, after: str) -> EventCursor:
    """The cursor that `after` means. Raises: InvalidInput."""
    stores = service.stores
    return await service.query(starting_cursor, stores.log, stores.database, stores.projection, _parsed(after))


def _parsed(after: str) -> str | datetime:
    try:
        return datetime.fromisoformat(after)
    except ValueError:
        return after


def _scopes(caller: Caller) -> frozenset[str] | None:
    scopes = caller.scopes(READER)
    return None if scopes is None else frozenset(scopes)
