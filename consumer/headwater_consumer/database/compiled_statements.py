"""Statements as text, run with positional parameters. Each is compiled once a dialect.

Building and compiling a statement costs more than a small query does, and importing SQLAlchemy for it more than a short
process does. So the texts of the usual ones are part of a release, see `ahead`; others are compiled on their first use,
with a connection in hand: a fork waits until that is given back, so no child inherits a half imported SQLAlchemy.
"""

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import cache, partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from headwater_consumer.database.ahead import CompiledText, texts_ahead
from headwater_consumer.database.connection import POSTGRESQL, SQLITE, Connection

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Executable

    Statement = Executable
else:
    Statement = object

KEYS_PER_STATEMENT_MAX = 128  # SQLite parses a chain of OR at most 1,000 deep
INTEGER_MAX = 2**63 - 1  # above every version, position and time

P = ParamSpec("P")
T = TypeVar("T")


class CompiledStatement:
    """A statement with named parameters. Values that are part of the statement need not be given."""

    __slots__ = ("_build", "_row", "_texts", "name")

    def __init__(self, name: str, build: Callable[[], Statement]) -> None:
        self.name = name
        self._build = build
        self._texts: dict[str, CompiledText] = {}
        self._row: Any = None

    def rows(self, connection: Connection, **values: object) -> Sequence[Any]:
        """All rows."""
        sql, parameters = self._filled(connection, values)
        return list(map(self._row_of(connection), connection.driver.execute(sql, parameters)))

    def first(self, connection: Connection, **values: object) -> Any:
        """The first row, or None."""
        sql, parameters = self._filled(connection, values)
        row = connection.driver.execute(sql, parameters).fetchone()
        return None if row is None else self._row_of(connection)(row)

    def tuples(self, connection: Connection, **values: object) -> list[tuple[Any, ...]]:
        """All rows as plain tuples, for many rows."""
        sql, parameters = self._filled(connection, values)
        return connection.driver.execute(sql, parameters).fetchall()  # type: ignore[no-any-return]

    def run(self, connection: Connection, **values: object) -> int:
        """Run a statement that gives no rows; returns how many it changed."""
        sql, parameters = self._filled(connection, values)
        return int(connection.driver.execute(sql, parameters).rowcount)

    def compile(self, dialect: str) -> CompiledText:
        """Build it, and say it in one dialect."""
        statement: Any = self._build()
        compiled = statement.compile(dialect=dialect_of(dialect))
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        columns = statement.selected_columns.keys() if statement.is_select else ()
        return CompiledText(str(compiled), tuple(compiled.positiontup or ()), constants, tuple(columns))

    def _text(self, connection: Connection) -> CompiledText:
        dialect = connection.dialect
        text = self._texts.get(dialect)
        if text is None:
            text = self._texts[dialect] = texts_ahead(dialect).statement(self.name) or self.compile(dialect)
        return text

    def _filled(self, connection: Connection, values: dict[str, object]) -> tuple[str, tuple[object, ...]]:
        text = self._text(connection)
        if text.constants:
            values = {**text.constants, **values}
        return text.sql, tuple([values[name] for name in text.parameters])

    def _row_of(self, connection: Connection) -> Callable[[Sequence[Any]], Any]:
        if self._row is None:
            self._row = namedtuple("ResultRow", self._text(connection).columns, rename=True)  # type: ignore[misc]
        make: Callable[[Sequence[Any]], Any] = self._row._make
        return make


BUILDERS: dict[str, Callable[..., Statement]] = {}  # of all modules that are imported, by name


def compiled(build: Callable[P, Statement]) -> Callable[P, CompiledStatement]:
    """The compiled form of the statement that `build` builds; with other arguments it is another statement."""
    name = f"{build.__module__.partition('.')[2]}.{build.__qualname__}"
    BUILDERS[name] = build

    @cache
    def statement(*arguments: Any) -> CompiledStatement:
        return CompiledStatement(name_of(name, arguments), partial(build, *arguments))

    return wraps(build)(statement)  # type: ignore[return-value]


def name_of(builder: str, arguments: Sequence[Any]) -> str:
    """The name of the statement that a builder builds from these arguments."""
    return f"{builder}({', '.join(map(str, arguments))})"


@cache
def dialect_of(name: str) -> "Dialect":
    """SQLAlchemy's form of a dialect."""
    if name == SQLITE:
        from sqlalchemy.dialects import sqlite

        return sqlite.dialect(paramstyle="qmark")
    from sqlalchemy.dialects import postgresql

    assert name == POSTGRESQL, "there are two"
    return postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]


def padded(keys: Sequence[T]) -> list[T]:
    """`keys` repeated at the end up to a power of two, so that a few sizes of a statement serve all."""
    filled = list(keys)
    return filled + filled[-1:] * ((1 << (len(filled) - 1).bit_length()) - len(filled))
