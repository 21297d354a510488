"""The driver's own connection below SQLAlchemy's, for hot paths."""

from typing import Any

from sqlalchemy import Connection


def driver_connection(connection: Connection) -> Any:
    """The driver's own connection, on which small statements cost half."""
    return connection.connection.driver_connection
