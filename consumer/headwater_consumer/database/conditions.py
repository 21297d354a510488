"""Conditions that several queries share: which facts hold, which versions are deleted or the newest, and which objects
are a project's.
"""

from typing import TYPE_CHECKING, Any

from headwater_schemas.object_names import FILES, PACKS
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database.sql import and_, bindparam, exists, literal_column, or_, select
from headwater_consumer.database.tables import COLLECTIONS, VERSION_ATTRIBUTES, VERSIONS
from headwater_consumer.rows import DELETED, PURGED

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause


def holds(fact: "FromClause", *, past: bool = False) -> "ColumnElement[bool]":
    """A fact holds now, or in the `past`: at the position that is the parameter `at`."""
    if not past:
        return fact.c.to_position.is_(None)
    at: Any = bindparam("at")
    still = or_(fact.c.to_position.is_(None), fact.c.to_position > at)
    return and_(fact.c.from_position <= at, still)


def is_field(attributes: "FromClause", field: str) -> "ColumnElement[bool]":
    """A row of attributes is of this field, said as the partial indexes say it.

    With a parameter SQLite would compare that with theirs, and plan the statement anew each time that it is run.
    """
    return attributes.c.field == literal_column(f"'{field}'")


def is_deleted(owner: "FromClause" = VERSIONS, *, past: bool = False) -> "ColumnElement[bool]":
    """The version that a row of `owner` names (by `collection` and `version`) is deleted."""
    return _has_attribute(DELETED, owner, past=past)


def is_purged(owner: "FromClause" = VERSIONS) -> "ColumnElement[bool]":
    """The version that a row of `owner` names is purged."""
    return _has_attribute(PURGED, owner, past=False)


def _has_attribute(field: str, owner: "FromClause", *, past: bool) -> "ColumnElement[bool]":
    attributes = VERSION_ATTRIBUTES
    return exists().where(
        attributes.c.collection == owner.c.collection,
        attributes.c.version == owner.c.version,
        is_field(attributes, field),
        holds(attributes, past=past),
    )


def was_restored() -> "ColumnElement[bool]":
    """A row of attributes says that a version was deleted for a while, and then brought back."""
    return and_(is_field(VERSION_ATTRIBUTES, DELETED), VERSION_ATTRIBUTES.c.to_position.is_not(None))


def is_newest() -> "ColumnElement[bool]":
    """A version is the newest live one of its collection, in statements over collections. Cost: one look-up each."""
    newest: Any = VERSIONS.alias("newest")
    number = (
        select(newest.c.version)
        .where(newest.c.collection == COLLECTIONS.c.collection, ~is_deleted(newest))
        .order_by(newest.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    return and_(VERSIONS.c.collection == COLLECTIONS.c.collection, VERSIONS.c.version == number)


def object_ranges(project: str) -> dict[str, str]:
    """The ranges of names of the objects of "entity/project": the parameters of `is_object_of_project`."""
    (packs, packs_end), (files, files_end) = (range_of_folder(f"{kind}/{project}") for kind in (PACKS, FILES))
    return {"packs": packs, "packs_end": packs_end, "files": files, "files_end": files_end}


def is_object_of_project(name: "ColumnElement[Any]") -> "ColumnElement[bool]":
    """An object of that name is the project's."""
    return or_(
        and_(name >= bindparam("packs"), name < bindparam("packs_end")),
        and_(name >= bindparam("files"), name < bindparam("files_end")),
    )
