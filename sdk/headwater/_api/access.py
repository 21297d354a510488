"""Who may do what through a server: roles and tokens, as the Api and the command line give, list and revoke them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from headwater_consumer import queries
from headwater_schemas import access
from headwater_schemas.errors import NotFound
from headwater_schemas.events import AccessGranted, AccessRevoked, Event, TokenRevoked
from headwater_stores.config.settings import Settings
from headwater_stores.new_tokens import new_token

from headwater._commit.client import Client
from headwater._paging import ROWS_PER_PAGE

T = TypeVar("T")


@dataclass(frozen=True)
class RoleGrant:
    """Somebody has a role somewhere."""

    scope: str  # an entity, with all its projects, or "entity/project"
    principal: str  # "issuer|subject"
    role: str
    granted_by: str
    granted_at: datetime  # UTC


@dataclass(frozen=True)
class Token:
    """A token that gives its principal's roles within a scope. Its text is known to whoever made it alone."""

    id: str
    scope: str
    principal: str
    expires_at: datetime | None  # UTC; None: never
    created_by: str
    created_at: datetime  # UTC
    last_used_at: datetime | None  # UTC, to about half a minute; None: never, as far as is known


@dataclass(frozen=True)
class NewToken:
    """A token as it is shown once."""

    id: str
    scope: str
    principal: str
    role: str | None  # that its principal has in exactly this scope; None: it has others within it
    expires_at: datetime | None  # UTC; None: never
    text: str = field(repr=False)  # the secret


def grant(client: Client, principal: str, role: str, scope: str) -> RoleGrant:
    """Give a principal this role in a scope, in the place of the one that it has there. Returns once it holds.

    Raises: InvalidInput.
    """
    event = AccessGranted(
        scope=access.check_scope(scope), principal=access.principal_named(principal), role=access.check_role(role)
    )
    _send(client, [event])
    return next(one for one in grants(client, event.scope) if (one.scope, one.principal) == (scope, event.principal))


def revoke(client: Client, principal: str, scope: str) -> None:
    """Take the role that a principal has in exactly this scope. Returns once nobody has it any more.

    Raises: NotFound where it has none; InvalidName.
    """
    event = AccessRevoked(scope=access.check_scope(scope), principal=access.principal_named(principal))
    client.catch_up()
    if client.stores.reads.role_granted(event.scope, event.principal) is None:
        raise NotFound(
            f"{event.principal} has no role that was granted in {event.scope}. `headwater access list {event.scope}` "
            "shows who has which, and where it was granted."
        )
    _send(client, [event])


def grants(client: Client, scope: str) -> list[RoleGrant]:
    """Who has which role in a scope, with those that its entity gives, or that are given in its projects."""
    access.check_scope(scope)

    def page(last: queries.GrantInfo | None) -> Sequence[queries.GrantInfo]:
        after = None if last is None else (last.scope, last.principal)
        return client.stores.reads.grants(scope, after=after, limit=ROWS_PER_PAGE)

    return [RoleGrant(one.scope, one.principal, one.role, one.author, _time(one.time_us)) for one in _all(page)]


def create_token(
    client: Client, name: str, scope: str, *, role: str | None = None, expires: timedelta | None = None
) -> NewToken:
    """Make a token for `name` in a scope, and give `name` the role there, unless it has it already.

    Raises: InvalidInput, also where `name` has another role in this scope, or none within it and `role` is not given.
    """
    client.catch_up()
    made = new_token(client.stores.reads, name, scope, role=role, expires=expires)
    _send(client, made.events)
    expires_ms = made.created.expires_ms
    expires_at = None if expires_ms is None else _time(expires_ms * 1000)
    return NewToken(made.id, scope, made.created.principal, made.role, expires_at, made.text)


def tokens(client: Client, settings: Settings, scope: str) -> list[Token]:
    """The tokens that were made in a scope, or in one of its projects, and not revoked; expired ones too."""
    from headwater_stores.token_uses import recorded_uses  # deferred: database

    access.check_scope(scope)

    def page(last: queries.TokenInfo | None) -> Sequence[queries.TokenInfo]:
        after = None if last is None else (last.scope, last.token)
        return client.stores.reads.tokens(scope, after=after, limit=ROWS_PER_PAGE)

    found = _all(page)
    uses = recorded_uses(settings, [info.id for info in found])
    return [_token(replace(info, used_us=uses.get(info.id, info.used_us))) for info in found]


def revoke_token(client: Client, token_id: str) -> Token:
    """End a token at once. Returns once it is valid no more. Raises: NotFound; InvalidName."""
    client.catch_up()
    info = client.stores.reads.token_with_id(token_id)
    if info is None:
        raise NotFound(
            f"there is no token {token_id}, or it was revoked. `headwater token list` shows those of a scope."
        )
    _send(client, [TokenRevoked(scope=info.scope, token=info.token)])
    return _token(info)


def _send(client: Client, events: Sequence[Event]) -> None:
    client.send(events).result()
    client.catch_up()


def _token(info: queries.TokenInfo) -> Token:
    expires_at = None if info.expires_ms is None else _time(info.expires_ms * 1000)
    used_at = None if info.used_us is None else _time(info.used_us)
    return Token(info.id, info.scope, info.principal, expires_at, info.author, _time(info.time_us), used_at)


def _time(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)


def _all(page_after: Callable[[T | None], Sequence[T]]) -> list[T]:
    found: list[T] = []
    while page := page_after(found[-1] if found else None):
        found += page
    return found
