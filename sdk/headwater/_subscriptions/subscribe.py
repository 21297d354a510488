"""`headwater.subscribe`: what is followed, checked before anything is opened."""

import os
from collections.abc import Iterable
from datetime import datetime

from headwater_schemas.errors import InvalidInput
from headwater_schemas.names import check_alias, check_name, check_project, check_type
from headwater_schemas.version_events import check_kinds
from headwater_stores.config.settings import Settings, read_settings

from headwater._subscriptions.source import EventSource, Followed
from headwater._subscriptions.subscription import Subscription


def subscribe(
    project: str | None = None,
    *,
    entity: str | None = None,
    kinds: Iterable[str] = (),
    alias: str | None = None,
    type: str | None = None,
    after: str | datetime = "now",
    name: str | None = None,
    timeout_s: float | None = None,
    url: str | os.PathLike[str] | None = None,
) -> Subscription:
    """Iterate over the version events of a project or an entity, and wait for more.

        for event in headwater.subscribe("team/vision", alias="prod", name="deployer"):
            deploy(event.artifact)

    Events of one collection or run come in order; between them there is none. Each comes at least once.

    Args:
        project: `[entity/]project`; that of the settings unless given.
        entity: all projects of this entity, instead of one.
        kinds: only events of these kinds, such as "version-committed"; all of them unless given.
        alias: only moves of this alias.
        type: only events about artifacts of this type.
        after: where to begin: "now" (the default), "start" for everything that ever happened, a time with its zone, or
            the `cursor` of an event, after which to go on.
        name: remember under this name how far you have read. Who subscribes under it again goes on there, and `after`
            counts only the first time. An event counts as read when the next one is asked for. A name is for one
            process at a time: where another takes it, this one gets an error.
        timeout_s: end when nothing came for so long; 0 ends once everything was read that was logged by now. None: wait
            until `stop()` is called.
        url: the store, instead of that of the settings.

    Raises: InvalidInput for what can never work, and for a cursor of another log or beyond its end; StoreError.
    Servers that are away are waited for as long as HEADWATER_OUTAGE_SECONDS says.
    """
    settings = read_settings(url=url)
    if project is not None and entity is not None:
        raise InvalidInput(f"both project {project!r} and entity {entity!r} are given. Follow one of them.")
    if entity is not None:
        check_name(entity, "entity")
    else:
        project = full_project_name(project, settings)
    if name is not None:
        check_name(name, "subscription")
    if timeout_s is not None and not timeout_s >= 0:
        raise InvalidInput(f"timeout_s is {timeout_s}. Give a number of seconds from 0 on, or None to wait for ever.")

    followed = Followed(
        entity=entity,
        project=project,
        type=None if type is None else check_type(type),
        alias=None if alias is None else check_alias(alias),
        kinds=check_kinds(kinds),
    )
    return Subscription(_source(settings, followed), after=after, name=name, timeout_s=timeout_s)


def _source(settings: Settings, followed: Followed) -> EventSource:
    if settings.server is not None:
        from headwater._subscriptions.over_http import ServerEvents  # deferred: http

        return ServerEvents(settings.server, followed, outage_s=settings.outage_s)
    from headwater._subscriptions.direct import DirectEvents  # deferred: database

    return DirectEvents(settings, followed)


def full_project_name(project: str | None, settings: Settings) -> str:
    """ "entity/project" for `[entity/]project`, or for that of the settings. Raises: InvalidName."""
    project = project or settings.project
    return check_project(project if "/" in project else f"{settings.entity}/{project}")
