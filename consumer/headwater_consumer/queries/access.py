"""Who may do what: tokens with what they give, the roles of a principal, and lists of both for people.

A token is found by its hash, so knowing the projection gives nobody a token. Whether it has expired is for the caller
to say, who has a clock.
"""

from typing import TYPE_CHECKING, Any

from headwater_schemas.access import check_token_id, covers, entity_of
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import holds
from headwater_consumer.database.sql import and_, bindparam, func, or_, select
from headwater_consumer.database.tables import GRANTS, TOKENS
from headwater_consumer.queries.results import Grant, GrantInfo, TokenAccess, TokenInfo

if TYPE_CHECKING:
    from sqlalchemy import FromClause

GRANTS_MAX = 10_000  # of one principal that count: those of entities first, then by name
SCOPES_MAX = 10_000  # in which there are tokens of one principal

_END = "g"  # after every hexadecimal digit


def token_access(database: Database, token_hash: str) -> TokenAccess | None:
    """The valid token with this hash, and the roles that it gives; None where there is none.

    Cost: one statement with two index look-ups, which runs for each request of a server.
    """
    with database.autocommit() as connection:
        rows = _token_access().rows(connection, token=token_hash, limit=GRANTS_MAX)
    if not rows:
        return None
    first = min(rows, key=lambda row: row.scope)  # one hash is of one token, unless somebody wrote it to the log twice
    granted = [Grant(row.granted, row.role) for row in rows if row.scope == first.scope and row.granted is not None]
    return TokenAccess(token_hash, first.scope, first.principal, first.expires_ms, tuple(granted))


def roles_of(database: Database, principal: str) -> tuple[Grant, ...]:
    """The roles of a principal, wherever it has one. Cost: an index look-up, and a row for each."""
    with database.autocommit() as connection:
        rows = _roles_of().rows(connection, principal=principal, limit=GRANTS_MAX)
    return tuple(Grant(row.scope, row.role) for row in rows)


def grants(
    database: Database, scope: str, *, after: tuple[str, str] | None = None, limit: int = 100
) -> list[GrantInfo]:
    """Who has which role in a scope, at most `limit`, by scope and principal.

    Of a project with the roles that its entity gives; of an entity with those in its projects. The next page: `after` =
    (scope, principal) of the last one.
    """
    with database.autocommit() as connection:
        rows = _grants().rows(connection, **_within(scope), **_after(after), limit=limit)
    return [GrantInfo(row.scope, row.principal, row.role, row.author, row.message, row.time_us) for row in rows]


def tokens(
    database: Database, scope: str, *, after: tuple[str, str] | None = None, limit: int = 100
) -> list[TokenInfo]:
    """The tokens that were made in a scope and not revoked, expired ones too: as `grants`, by scope and hash.

    Of a project only its own: one of its entity is for that to show.
    """
    with database.autocommit() as connection:
        rows = _tokens().rows(connection, **_within(scope), **_after(after), limit=limit)
    return [_info(row) for row in rows]


def count_tokens(database: Database, *, endless: bool = False) -> int:
    """The tokens that were not revoked, expired ones too; `endless`: those that never expire."""
    with database.autocommit() as connection:
        return int(_token_count(endless).first(connection)[0])


def token_with_id(database: Database, token_id: str) -> TokenInfo | None:
    """The token that people name so; None where there is none. Raises: InvalidName."""
    first = check_token_id(token_id)
    with database.autocommit() as connection:
        row = _token_between().first(connection, first=first, end=first + _END)
    return None if row is None else _info(row)


def scopes_of_token(database: Database, token_hash: str) -> list[str]:
    """The scopes in which a token with this hash was made, revoked ones too; at most SCOPES_MAX."""
    with database.autocommit() as connection:
        return [row.scope for row in _scopes_of_token().rows(connection, token=token_hash, limit=SCOPES_MAX)]


def scopes_with_tokens_of(database: Database, principal: str) -> list[str]:
    """The scopes in which tokens for a principal were made, revoked ones too; each once, at most SCOPES_MAX."""
    with database.autocommit() as connection:
        return [row.scope for row in _scopes_with_tokens_of().rows(connection, principal=principal, limit=SCOPES_MAX)]


def role_granted(database: Database, scope: str, principal: str) -> str | None:
    """The role that was granted to a principal in exactly this scope."""
    return next((grant.role for grant in roles_of(database, principal) if grant.scope == scope), None)


def has_role_within(database: Database, scope: str, principal: str) -> bool:
    """Whether a token that is made in `scope` gives its principal anything."""
    return any(covers(grant.scope, scope) or entity_of(grant.scope) == scope for grant in roles_of(database, principal))


def _within(scope: str) -> dict[str, str]:
    start, end = range_of_folder(scope)
    return {"scope": scope, "entity": entity_of(scope), "start": start, "end": end}


def _after(last: tuple[str, str] | None) -> dict[str, str]:
    scope, name = last or ("", "")
    return {"last_scope": scope, "last_name": name}


def _info(row: Any) -> TokenInfo:
    return TokenInfo(row.token, row.scope, row.principal, row.expires_ms, row.author, row.message, row.time_us)


# --- statements -------------------------------------------------------------------------------------------------


@compiled
def _token_access() -> Statement:
    """Its principal's roles in its scope, and in what that is a part of, or has as parts."""
    token, grant = TOKENS.c, GRANTS.c
    of_entity = or_(token.scope == token.entity, grant.scope.in_((token.scope, token.entity)))
    same = and_(grant.principal == token.principal, grant.entity == token.entity, of_entity, holds(GRANTS))
    return (
        select(token.scope, token.principal, token.expires_ms, grant.scope.label("granted"), grant.role)
        .select_from(TOKENS.outerjoin(GRANTS, same))
        .where(token.token == bindparam("token"), holds(TOKENS))
        .order_by(token.scope, grant.scope)
        .limit(bindparam("limit"))
    )


@compiled
def _roles_of() -> Statement:
    grant = GRANTS.c
    of_principal = select(grant.scope, grant.role).where(grant.principal == bindparam("principal"), holds(GRANTS))
    return of_principal.order_by(grant.scope).limit(bindparam("limit"))


@compiled
def _grants() -> Statement:
    return _page(GRANTS, GRANTS.c.principal, or_(_is_in(GRANTS), GRANTS.c.scope == bindparam("entity")))


@compiled
def _token_count(endless: bool) -> Statement:
    conditions = [holds(TOKENS), *([TOKENS.c.expires_ms.is_(None)] if endless else [])]
    return select(func.count()).select_from(TOKENS).where(*conditions)


@compiled
def _tokens() -> Statement:
    return _page(TOKENS, TOKENS.c.token, _is_in(TOKENS))


def _is_in(table: "FromClause") -> Any:
    below = and_(table.c.scope > bindparam("start"), table.c.scope < bindparam("end"))
    return or_(table.c.scope == bindparam("scope"), below)


def _page(table: "FromClause", name: Any, condition: Any) -> Statement:
    scope: Any = table.c.scope
    is_later = or_(
        scope > bindparam("last_scope"), and_(scope == bindparam("last_scope"), name > bindparam("last_name"))
    )
    found = select(*table.c).where(condition, holds(table), is_later)
    return found.order_by(scope, name).limit(bindparam("limit"))


@compiled
def _token_between() -> Statement:
    token = TOKENS.c
    named = select(*token).where(token.token >= bindparam("first"), token.token < bindparam("end"), holds(TOKENS))
    return named.order_by(token.token, token.scope).limit(1)


@compiled
def _scopes_of_token() -> Statement:
    return _scopes(TOKENS.c.token == bindparam("token"))


@compiled
def _scopes_with_tokens_of() -> Statement:
    return _scopes(TOKENS.c.principal == bindparam("principal"))


def _scopes(condition: Any) -> Statement:
    scope = TOKENS.c.scope
    return select(scope).where(condition).distinct().order_by(scope).limit(bindparam("limit"))
