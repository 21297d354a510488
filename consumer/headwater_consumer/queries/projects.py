"""The settings of projects."""

from typing import Any

from headwater_schemas import digests, metadata
from headwater_schemas.settings import DIGEST_ALGORITHM, DRAFT_IDLE_DAYS, PROTECTED_ALIASES, RESTORE_DAYS, with_defaults

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import COLLECTIONS, PROJECT_FACTS, RUNS
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


def restore_days(database: Database, project: str) -> int:
    """For how many days a deleted version of "entity/project" can be restored."""
    return int(project_settings(database, project)[RESTORE_DAYS])


def protected_aliases(database: Database, project: str) -> frozenset[str]:
    """The aliases that only a maintainer of "entity/project" moves, through a server."""
    return frozenset(project_settings(database, project)[PROTECTED_ALIASES])


def has_begun(database: Database, project: str) -> bool:
    """Whether anything was ever logged in "entity/project", or set. Cost: three index look-ups at most."""
    with database.autocommit() as connection:
        found = _first_of(connection, project) or _settings().first(connection, project=project, kind=SETTINGS)
    return found is not None


def _first_of(connection: Connection, project: str) -> Any:
    return _some_collection().first(connection, project=project) or _some_run().first(connection, project=project)


def _given_settings(database: Database, project: str) -> dict[str, Any]:
    with database.autocommit() as connection:
        row = _settings().first(connection, project=project, kind=SETTINGS)
    return {} if row is None else metadata.decode(row.value)


@compiled
def _some_collection() -> Statement:
    return select(COLLECTIONS.c.project).where(COLLECTIONS.c.project == bindparam("project")).limit(1)


@compiled
def _some_run() -> Statement:
    return select(RUNS.c.project).where(RUNS.c.project == bindparam("project")).limit(1)


@compiled
def _settings() -> Statement:
    """The partition of the project's key has them."""
    table = PROJECT_FACTS
    is_it = (table.c.project == bindparam("project")) & (table.c.kind == bindparam("kind"))
    statement = select(table.c.value).where(is_it, table.c.to_position.is_(None))
    return statement.order_by(table.c.partition).limit(1)
