"""The projection in one SQLite file: the default on a laptop. The driver is used here and nowhere else."""

from headwater_consumer.database.sqlite.file import SqliteFile, SqliteMemory, create_sqlite_file

__all__ = ["SqliteFile", "SqliteMemory", "create_sqlite_file"]
