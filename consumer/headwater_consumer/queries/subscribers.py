"""Who is told version events by webhook: the subscriptions of a scope, one by its id, and all of them."""

from typing import TYPE_CHECKING, Any

from headwater_schemas.access import entity_of
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import holds
from headwater_consumer.database.sql import and_, bindparam, or_, select
from headwater_consumer.database.tables import SUBSCRIPTIONS
from headwater_consumer.queries.results import SubscriptionInfo

if TYPE_CHECKING:
    from sqlalchemy import Select

SUBSCRIPTIONS_MAX = 10_000  # that are told events; others, by scope and id, are not
SCOPES_MAX = 100  # of one id; a server lets it have one


def subscriptions(
    database: Database, scope: str, *, after: tuple[str, str] | None = None, limit: int = 100
) -> list[SubscriptionInfo]:
    """The subscriptions of a scope, at most `limit`, by scope and id.

    Of a project with those of its entity, which is told its events, too; of an entity with those of its projects. The
    next page: `after` = (scope, id) of the last one.
    """
    start, end = range_of_folder(scope)
    last_scope, last_id = after or ("", "")
    values = {"scope": scope, "entity": entity_of(scope), "start": start, "end": end, "limit": limit}
    with database.autocommit() as connection:
        rows = _page().rows(connection, **values, last_scope=last_scope, last_id=last_id)
    return [_info(row) for row in rows]


def subscription_with_id(database: Database, subscription: str) -> SubscriptionInfo | None:
    """The subscription with this id; None where there is none."""
    with database.autocommit() as connection:
        row = _with_id().first(connection, subscription=subscription)
    return None if row is None else _info(row)


def scopes_of_subscription(database: Database, subscription: str) -> list[str]:
    """The scopes in which a subscription with this id was added, removed ones too; at most SCOPES_MAX."""
    with database.autocommit() as connection:
        return [row.scope for row in _scopes_of().rows(connection, subscription=subscription, limit=SCOPES_MAX)]


def all_subscriptions(database: Database) -> list[SubscriptionInfo]:
    """Every subscription, by scope and id; at most SUBSCRIPTIONS_MAX. Cost: a row for each."""
    with database.autocommit() as connection:
        rows = _all().rows(connection, limit=SUBSCRIPTIONS_MAX)
    return [_info(row) for row in rows]


def _info(row: Any) -> SubscriptionInfo:
    return SubscriptionInfo(row.subscription, row.scope, row.settings, row.author, row.message, row.time_us)


# --- statements -------------------------------------------------------------------------------------------------


def _open() -> "Select[Any]":
    return select(*SUBSCRIPTIONS.c).where(holds(SUBSCRIPTIONS))


@compiled
def _page() -> Statement:
    scope, name = SUBSCRIPTIONS.c.scope, SUBSCRIPTIONS.c.subscription
    below = and_(scope > bindparam("start"), scope < bindparam("end"))
    is_in = or_(scope == bindparam("scope"), scope == bindparam("entity"), below)
    is_later = or_(scope > bindparam("last_scope"), and_(scope == bindparam("last_scope"), name > bindparam("last_id")))
    return _open().where(is_in, is_later).order_by(scope, name).limit(bindparam("limit"))


@compiled
def _with_id() -> Statement:
    row = SUBSCRIPTIONS.c
    return _open().where(row.subscription == bindparam("subscription")).order_by(row.scope).limit(1)


@compiled
def _scopes_of() -> Statement:
    row = SUBSCRIPTIONS.c
    with_id = select(row.scope).where(row.subscription == bindparam("subscription"))
    return with_id.distinct().order_by(row.scope).limit(bindparam("limit"))


@compiled
def _all() -> Statement:
    row = SUBSCRIPTIONS.c
    return _open().order_by(row.scope, row.subscription).limit(bindparam("limit"))
