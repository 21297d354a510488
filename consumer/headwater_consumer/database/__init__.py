"""The projection's database: its tables, its transactions, and an adapter for each database that can hold it.

`tables` maps the row types, `port` says what an adapter does, `sqlite` and `postgresql` are the adapters. A projection
can be thrown away: every damage to it is repaired by `headwater replay`.
"""

from headwater_consumer.database.connection import driver_connection
from headwater_consumer.database.database import FORMAT, Database

__all__ = ["FORMAT", "Database", "driver_connection"]
