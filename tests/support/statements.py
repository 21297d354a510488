"""SQLAlchemy's statements on a projection, for tests that look at its tables."""

from typing import Any

from headwater_consumer.database.compiled_statements import dialect_of
from headwater_consumer.database.connection import Connection
from sqlalchemy import Executable


def run(connection: Connection, statement: Executable) -> list[tuple[Any, ...]]:
    """The rows that a statement gives, if it gives any."""
    compiled: Any = statement.compile(dialect=dialect_of(connection.dialect))  # type: ignore[attr-defined]
    cursor = connection.driver.execute(str(compiled), [compiled.params[name] for name in compiled.positiontup or ()])
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def count_of(connection: Connection, statement: Executable) -> int:
    """The one number that a statement gives."""
    ((found,),) = run(connection, statement)
    return int(found)
