"""The projection in a schema of PostgreSQL: for many readers and several projectors. The driver is used only here.

A projection is one schema of a database, so that a replay can build another beside it and replace it in one
transaction, under connections that are open. Nothing is written outside that schema.
"""

from headwater_consumer.database.postgresql.naming import SCHEMA_NAME, check_schema_name, check_url, new_schema_name
from headwater_consumer.database.postgresql.schema import IDLE_IN_TRANSACTION_S, PostgresqlSchema

__all__ = [
    "IDLE_IN_TRANSACTION_S",
    "SCHEMA_NAME",
    "PostgresqlSchema",
    "check_schema_name",
    "check_url",
    "new_schema_name",
]
