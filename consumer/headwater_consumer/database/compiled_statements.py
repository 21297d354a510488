"""Statements that are compiled once a dialect, kept as text and run with positional parameters.

Building and compiling a statement costs more than a small query does, so each is compiled on its first use.
"""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable, SelectBase
from sqlalchemy.dialects import postgresql, sqlite

from headwater_consumer.database.connection import driver_connection

KEYS_PER_STATEMENT_MAX = 128  # SQLite parses a chain of OR at most 1,000 deep
INTEGER_MAX = 2**63 - 1  # above every version, position and time

SQLITE, POSTGRESQL = "sqlite", "postgresql"  # SQLAlchemy's names of the dialects
_DIALECTS: dict[str, Dialect] = {
    SQLITE: sqlite.dialect(paramstyle="qmark"),
    POSTGRESQL: postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}

T = TypeVar("T")


class CompiledStatement:
    """A query with named parameters. Values that are part of the statement need not be given."""

    __slots__ = ("_compiled", "_row", "_statement")

    def __init__(self, statement: SelectBase) -> None:
        self._statement = statement
        names = statement.selected_columns.keys()
        self._row: Any = namedtuple("ResultRow", names, rename=True)  # type: ignore[misc]
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def rows(self, connection: Connection, **values: object) -> Sequence[Any]:
        """All rows."""
        sql, parameters = self._text(connection, values)
        return list(map(self._row._make, driver_connection(connection).execute(sql, parameters)))

    def first(self, connection: Connection, **values: object) -> Any:
        """The first row, or None."""
        sql, parameters = self._text(connection, values)
        row = driver_connection(connection).execute(sql, parameters).fetchone()
        return None if row is None else self._row._make(row)

    def tuples(self, connection: Connection, **values: object) -> list[tuple[Any, ...]]:
        """All rows as plain tuples, for many rows."""
        sql, parameters = self._text(connection, values)
        return driver_connection(connection).execute(sql, parameters).fetchall()  # type: ignore[no-any-return]

    def _text(self, connection: Connection, values: dict[str, object]) -> tuple[str, tuple[object, ...]]:
        dialect = connection.dialect.name
        if dialect not in self._compiled:
            self._compiled[dialect] = self._compile(dialect)
        sql, names, constants = self._compiled[dialect]
        if constants:
            values = {**constants, **values}
        return sql, tuple([values[name] for name in names])

    def _compile(self, dialect: str) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        compiled = self._statement.compile(dialect=_DIALECTS[dialect])
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), tuple(compiled.positiontup or ()), constants


def compiled_text(statement: Executable, dialect: str) -> str:
    """The text of a statement, with positional parameters."""
    return str(statement.compile(dialect=_DIALECTS[dialect]))  # type: ignore[attr-defined]


def padded(keys: Sequence[T]) -> list[T]:
    """`keys` repeated at the end up to a power of two, so that a few sizes of a statement serve all."""
    filled = list(keys)
    return filled + filled[-1:] * ((1 << (len(filled) - 1).bit_length()) - len(filled))
