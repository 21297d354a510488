"""A connection to the projection's database."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

SQLITE, POSTGRESQL = "sqlite", "postgresql"  # SQLAlchemy's names of the dialects

_CURSOR = "headwater"  # at the server, so that a client does not hold all rows


class Connection:
    """A driver's connection, and the dialect that it speaks. For one thread at a time."""

    __slots__ = ("dialect", "driver")

    def __init__(self, driver: Any, dialect: str) -> None:
        self.driver = driver
        self.dialect = dialect

    def stream(self, sql: str, rows_per_fetch: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query without parameters, some at a time, for more than fit in memory. In a transaction."""
        named = {"name": _CURSOR} if self.dialect == POSTGRESQL else {}
        with closing(self.driver.cursor(**named)) as cursor:
            cursor.execute(sql)
            while rows := cursor.fetchmany(rows_per_fetch):
                yield rows

    def commit(self) -> None:
        """End a transaction, and keep what it wrote."""
        self.driver.commit()

    def rollback(self) -> None:
        """End a transaction, and undo what it wrote."""
        self.driver.rollback()

    def close(self) -> None:
        """Hang up. Closing twice is fine."""
        self.driver.close()


def driver_connection(connection: Connection) -> Any:
    """The driver's own connection."""
    return connection.driver
