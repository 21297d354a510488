"""What a caller may write depends on what is recorded, too: whose a version or a name is, which aliases are protected,
which runs there are, and whether a project has begun. `rules` has all else.

Judged by the projection before an event is appended. Most events ask nothing of it.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import VersionInfo
from headwater_schemas import digests, metadata
from headwater_schemas.access import ADMIN, MAINTAINER
from headwater_schemas.errors import EventRejected, HeadwaterError, InvalidInput, NotFound
from headwater_schemas.events import (
    AliasMoved,
    Event,
    RunStarted,
    ScopeEvent,
    SettingsChanged,
    SubscriptionAdded,
    TokenCreated,
    VersionCommitted,
    VersionDescribed,
)
from headwater_schemas.settings import DIGEST_ALGORITHM, PROTECTED_ALIASES

from headwater_server.access import rules
from headwater_server.access.caller import Caller
from headwater_server.access.known_runs import KnownRuns
from headwater_server.access.view import View
from headwater_server.service import Service


@dataclass(frozen=True, slots=True)
class _Project:
    """What is recorded of a project that has begun."""

    algorithm: str | None  # of its digests
    protected: frozenset[str]


class Judge:
    """Judges the events of all callers of one server. For one event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._projects: View[_Project] = View(self._ask_project)
        self._runs = KnownRuns(service)
        service.when_access_changes(self._projects.forget)

    async def refusals(self, events: Sequence[Event], caller: Caller) -> dict[int, HeadwaterError]:
        """Those of `events` that the caller may not write, by index, each with why. Their fields were checked.

        Raises: StoreError; Problem where that cannot be known now.
        """
        found: dict[int, HeadwaterError] = {}
        started = {event.run for event in events if isinstance(event, RunStarted)}
        for index, event in enumerate(events):
            try:
                await self.check(event, caller, started)
            except (EventRejected, NotFound, InvalidInput) as error:
                found[index] = error
        return found

    async def check(self, event: Event, caller: Caller, started: AbstractSet[str] = frozenset()) -> None:
        """`started`: runs that events start which are written together with this one.

        Raises: EventRejected, NotFound, InvalidInput; Problem while the database does not answer.
        """
        rules.check(event, caller)
        if isinstance(event, ScopeEvent):
            await self._check_access(event, caller)
            return
        project = rules.project_of(event)
        await self._check_begun(project, caller)
        match event:
            case SettingsChanged():
                await self._check_settings(event)
            case VersionCommitted() if event.aliases:
                await self._check_aliases(event.aliases, project, caller)
            case AliasMoved():
                await self._check_aliases((event.alias,), project, caller)
            case VersionDescribed() if not caller.may(MAINTAINER, project):
                await self._check_own_version(event, caller)
        if (run := rules.run_named(event)) is not None and run not in started:
            await self._runs.check(run, caller.principal)

    def note_written(self, events: Iterable[Event]) -> None:
        """These are on the log."""
        for event in events:
            if isinstance(event, RunStarted):
                self._runs.note(event.run)

    async def _check_access(self, event: ScopeEvent, caller: Caller) -> None:
        match event:
            case TokenCreated():
                await self._check_id(queries.scopes_of_token, event.token, event.scope)
                await self._check_name(event.principal, caller)
            case SubscriptionAdded():
                await self._check_id(queries.scopes_of_subscription, event.subscription, event.scope)

    async def _check_id(self, scopes_of: Callable[[Database, str], list[str]], id_: str, scope: str) -> None:
        """Tokens and webhooks are found by their hash or id alone: a second one would hide the first from its admins.

        Also after it was removed: what is remembered of it is for the admins of its scope.
        """
        scopes = await self._service.query(scopes_of, self._service.database, id_)
        if any(one != scope for one in scopes):
            raise rules.not_permitted("there is one of this id in another scope, or there was. Make another id.")

    async def _check_name(self, principal: str, caller: Caller) -> None:
        """Who holds a token is this principal, also to those who know it from elsewhere."""
        scopes = await self._service.query(queries.scopes_with_tokens_of, self._service.database, principal)
        if not all(caller.may(ADMIN, scope) for scope in scopes):
            raise rules.not_permitted(
                f"{principal} has tokens of a scope of which you are no admin, or had some, and who has a token "
                "writes under its name. Use another name, or have an admin there make it."
            )

    async def _check_begun(self, project: str, caller: Caller) -> None:
        if not caller.may_begin(project) and await self._projects.get(project) is None:
            raise rules.not_permitted(
                f"project {project} has nothing yet, and only an admin of its entity begins one. Ask an admin "
                "to log the first version, or to grant you a role in this very project."
            )

    async def _check_settings(self, event: SettingsChanged) -> None:
        """With XXH3, anybody who writes could make content that passes for another's."""
        algorithm = metadata.decode(event.settings).get(DIGEST_ALGORITHM)
        known = await self._projects.get(event.project)
        if algorithm not in (None, digests.BLAKE3, None if known is None else known.algorithm):
            raise InvalidInput(
                f"{event.project} is begun through a server, and those projects use the digest algorithm "
                f"{digests.BLAKE3}. Name that one."
            )

    async def _check_aliases(self, aliases: Sequence[str], project: str, caller: Caller) -> None:
        if caller.may(MAINTAINER, project):
            return
        known = await self._projects.get(project)
        for alias in sorted(frozenset() if known is None else known.protected.intersection(aliases)):
            raise rules.not_permitted(
                f"the alias {alias} is protected in {project}: moving it needs the role {MAINTAINER}. Ask a maintainer."
            )

    async def _check_own_version(self, event: VersionDescribed, caller: Caller) -> None:
        name = f"{event.collection}:v{event.version}"
        database = self._service.database
        info = await self._service.query(queries.version_info, database, event.collection, event.version)
        if info is None:
            raise rules.hidden(name)
        if info.author != caller.principal:
            raise rules.not_permitted(
                f"{name} was logged by {info.author}: describing it needs the role {MAINTAINER}. Ask a maintainer."
            )
        if _shortens(event, info):
            raise rules.not_permitted(
                f"the time to live of {name} would be shortened, which needs the role {MAINTAINER}. Ask a maintainer."
            )

    async def _ask_project(self, project: str) -> _Project | None:
        return await self._service.query(_recorded, self._service.database, project)


def _recorded(database: Database, project: str) -> _Project | None:
    if not queries.has_begun(database, project):
        return None
    settings = queries.project_settings(database, project)
    algorithm = queries.chosen_algorithm(database, project)
    return _Project(algorithm, frozenset(settings[PROTECTED_ALIASES]))


def _shortens(event: VersionDescribed, info: VersionInfo) -> bool:
    """0 removes a time to live."""
    if not event.ttl_seconds:
        return False
    return info.ttl_seconds is None or event.ttl_seconds < info.ttl_seconds
