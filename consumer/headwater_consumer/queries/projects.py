"""The settings of projects."""

from typing import Any

from headwater_schemas import digests, metadata
from headwater_schemas.settings import DIGEST_ALGORITHM, DRAFT_IDLE_DAYS, with_defaults

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import PROJECT_FACTS
from headwater_consumer.rows import SETTINGS


def project_settings(database: Database, project: str) -> dict[str, Any]:
    """All settings of "entity/project", defaults included. See `headwater_schemas.settings`."""
    return with_defaults(_given_settings(database, project))


def chosen_algorithm(database: Database, project: str) -> str | None:
    """The digest algorithm of "entity/project"; None while nothing was logged there and nobody chose one."""
    chosen = _given_settings(database, project).get(DIGEST_ALGORITHM)
    return None if chosen is None else digests.check_algorithm(chosen)


def draft_idle_days(database: Database, project: str) -> int:
    """After how many days without an event a draft of "entity/project" is discarded."""
    return int(project_settings(database, project)[DRAFT_IDLE_DAYS])


def _given_settings(database: Database, project: str) -> dict[str, Any]:
    with database.autocommit() as connection:
        row = _settings().first(connection, project=project, kind=SETTINGS)
    return {} if row is None else metadata.decode(row.value)


@compiled
def _settings() -> Statement:
    """The partition of the project's key has them."""
    table = PROJECT_FACTS
    is_it = (table.c.project == bindparam("project")) & (table.c.kind == bindparam("kind"))
    statement = select(table.c.value).where(is_it, table.c.to_position.is_(None))
    return statement.order_by(table.c.partition).limit(1)
