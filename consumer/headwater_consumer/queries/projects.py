"""The settings of projects."""

from functools import cache
from typing import Any

from headwater_schemas import digests, metadata
from headwater_schemas.settings import DIGEST_ALGORITHM, DRAFT_IDLE_DAYS, with_defaults
from sqlalchemy import bindparam, select

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import CompiledStatement
from headwater_consumer.database.tables import COLLECTIONS, PROJECT_FACTS
from headwater_consumer.rows import SETTINGS


def project_settings(database: Database, project: str) -> dict[str, Any]:
    """All settings of "entity/project", defaults included. See `headwater_schemas.settings`."""
    with database.autocommit() as connection:
        row = _settings().first(connection, project=project, kind=SETTINGS)
    return with_defaults({} if row is None else metadata.decode(row.value))


def digest_algorithm(database: Database, project: str) -> str:
    """The digest algorithm for new content of "entity/project"."""
    return digests.check_algorithm(project_settings(database, project)[DIGEST_ALGORITHM])


def draft_idle_days(database: Database, project: str) -> int:
    """After how many days without an event a draft of "entity/project" is discarded."""
    return int(project_settings(database, project)[DRAFT_IDLE_DAYS])


def has_versions(database: Database, project: str) -> bool:
    """Whether "entity/project" has, or had, a version."""
    with database.autocommit() as connection:
        return _any_collection().first(connection, project=project) is not None


@cache
def _any_collection() -> CompiledStatement:
    """A collection exists from its first version on."""
    return CompiledStatement(
        select(COLLECTIONS.c.collection).where(COLLECTIONS.c.project == bindparam("project")).limit(1)
    )


@cache
def _settings() -> CompiledStatement:
    """The partition of the project's key has them."""
    table = PROJECT_FACTS
    is_it = (table.c.project == bindparam("project")) & (table.c.kind == bindparam("kind"))
    statement = select(table.c.value).where(is_it, table.c.to_position.is_(None))
    return CompiledStatement(statement.order_by(table.c.partition).limit(1))
