"""Conditions that several queries share: which facts hold, and which versions are deleted."""

from typing import TYPE_CHECKING, Any

from headwater_consumer.database.sql import and_, bindparam, exists, or_
from headwater_consumer.database.tables import VERSION_ATTRIBUTES, VERSIONS
from headwater_consumer.rows import DELETED

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause


def holds(fact: "FromClause", *, past: bool = False) -> "ColumnElement[bool]":
    """A fact holds now, or in the `past`: at the position that is the parameter `at`."""
    if not past:
        return fact.c.to_position.is_(None)
    at: Any = bindparam("at")
    still = or_(fact.c.to_position.is_(None), fact.c.to_position > at)
    return and_(fact.c.from_position <= at, still)


def is_deleted(owner: "FromClause" = VERSIONS, *, past: bool = False) -> "ColumnElement[bool]":
    """The version that a row of `owner` names (by `collection` and `version`) is deleted."""
    attributes = VERSION_ATTRIBUTES
    return exists().where(
        attributes.c.collection == owner.c.collection,
        attributes.c.version == owner.c.version,
        attributes.c.field == DELETED,
        holds(attributes, past=past),
    )
