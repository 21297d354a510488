"""Asking the database: statements that are compiled once, and conditions that many questions share.

Building and compiling a statement costs more than a small question does, so each is made on its first use, kept as text
and run with positional parameters.
"""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, SelectBase, and_, bindparam, or_

from headwater_consumer.bulk import dialect_of
from headwater_consumer.database import driver_of

INTEGER_MAX = 2**63 - 1  # above every version, position and time


class Statement:
    """A statement with named parameters. Values that are written into it need not be given."""

    __slots__ = ("_compiled", "_row", "_statement")

    def __init__(self, statement: SelectBase) -> None:
        self._statement = statement
        names = statement.selected_columns.keys()
        self._row: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def rows(self, connection: Connection, **values: object) -> Sequence[Any]:
        """All rows."""
        sql, parameters = self._text(connection, values)
        return list(map(self._row._make, driver_of(connection).execute(sql, parameters)))

    def first(self, connection: Connection, **values: object) -> Any:
        """The first row, or None."""
        sql, parameters = self._text(connection, values)
        row = driver_of(connection).execute(sql, parameters).fetchone()
        return None if row is None else self._row._make(row)

    def tuples(self, connection: Connection, **values: object) -> list[tuple[Any, ...]]:
        """All rows as plain tuples, for many rows."""
        sql, parameters = self._text(connection, values)
        return driver_of(connection).execute(sql, parameters).fetchall()  # type: ignore[no-any-return]

    def _text(self, connection: Connection, values: dict[str, object]) -> tuple[str, tuple[object, ...]]:
        dialect = connection.dialect.name
        if dialect not in self._compiled:
            self._compiled[dialect] = self._compile(dialect)
        sql, names, written = self._compiled[dialect]
        if written:
            values = {**written, **values}
        return sql, tuple([values[name] for name in names])

    def _compile(self, dialect: str) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        compiled = self._statement.compile(dialect=dialect_of(dialect))
        written = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), tuple(compiled.positiontup or ()), written


def holds(fact: FromClause, past: bool) -> ColumnElement[bool]:
    """A fact is the case: now, or in the `past`, at the position that is the parameter `at`."""
    if not past:
        return fact.c.to_position.is_(None)
    at: Any = bindparam("at")
    still = or_(fact.c.to_position.is_(None), fact.c.to_position > at)
    return and_(fact.c.from_position <= at, still)
