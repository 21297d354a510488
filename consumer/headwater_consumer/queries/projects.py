"""What is set for a whole project."""

from headwater_schemas import digests, metadata
from sqlalchemy import select

from headwater_consumer.database import Database
from headwater_consumer.projector.administration import SETTINGS
from headwater_consumer.rows import ProjectFact

DIGEST_ALGORITHM = "digest_algorithm"


def digest_algorithm(database: Database, project: str) -> str:
    """The algorithm by which new content of "entity/project" is known: the default until the project sets another."""
    table = ProjectFact.table
    statement = (
        select(table.c.value)
        .where(table.c.project == project, table.c.kind == SETTINGS, table.c.to_position.is_(None))
        .order_by(table.c.partition)
        .limit(1)
    )
    with database.asking() as connection:
        text = connection.execute(statement).scalar()
    settings = metadata.decode(text) if text is not None else {}
    return digests.check_algorithm(settings.get(DIGEST_ALGORITHM, digests.DEFAULT_ALGORITHM))
