"""Row mapping: a table for each row type, with the columns that its fields declare.

What SQLAlchemy needs to know of a table is made when a statement is built that names it: see `sql`.
"""

import types
from collections.abc import Hashable
from dataclasses import fields
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints

from headwater_consumer.database.ahead import texts_ahead
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import func, literal_column
from headwater_consumer.rows.base import ProjectionRow

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Index, MetaData, Table

# A row of PostgreSQL's index has at most 2,704 bytes, and a character up to four.
PREFIX_LENGTH = 512  # characters

TABLES: dict[type[ProjectionRow], "MappedTable"] = {}  # filled by `tables`

Indexes = tuple[tuple[str, ...], ...]
PartialIndexes = tuple[tuple[str, tuple[str, ...], str], ...]  # name, columns, and the condition of the rows it holds


class MappedTable:
    """A table, as far as it is known without SQLAlchemy; anything else is asked of SQLAlchemy's form of it."""

    def __init__(
        self,
        name: str,
        row_type: type[ProjectionRow],
        *,
        indexes: Indexes,
        prefix_indexes: Indexes,
        partial_indexes: PartialIndexes,
        wide: bool,
    ) -> None:
        self.name = name
        self._declaration = (row_type, indexes, prefix_indexes, partial_indexes, wide)

    def __clause_element__(self) -> "Table":
        """For SQLAlchemy, where this is part of a statement."""
        return self._table

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "is_clause_element":  # SQLAlchemy asks, and then for the form of it
            raise AttributeError(name)
        return getattr(self._table, name)

    @cached_property
    def _table(self) -> "Table":
        return _table(self.name, *self._declaration)


def table_of(row_type: type[ProjectionRow]) -> "Table":
    """The table that holds rows of this type."""
    return cast("Table", TABLES[row_type])


def table_name(row_type: type[ProjectionRow]) -> str:
    """The name of that table."""
    return TABLES[row_type].name


def column_names(row_type: type[ProjectionRow]) -> list[str]:
    """The columns of that table, in the order of the row's fields."""
    return [field.name for field in fields(row_type)]  # type: ignore[arg-type]


@cache
def column_kinds(row_type: Any) -> dict[str, type]:
    """The type of each column's values: int, str, bytes or bool."""
    return {name: _plain(hint)[0] for name, hint in get_type_hints(row_type).items() if name in column_names(row_type)}


def prefix_of(column: "ColumnElement[str]") -> "ColumnElement[str]":
    """The part of a long text that an index holds; whoever searches by it checks the whole text again.

    Written into the statement, as in the index: a database compares the expressions.
    """
    return func.substr(column, literal_column("1"), literal_column(str(PREFIX_LENGTH)))


def cache_key(row_type: type[ProjectionRow]) -> Hashable:
    """A class is hashable whatever its instances are, but the type checker looks at those."""
    return row_type  # type: ignore[return-value,unused-ignore]


def map_row(
    row_type: type[ProjectionRow],
    name: str,
    *,
    indexes: Indexes = (),
    prefix_indexes: Indexes = (),
    partial_indexes: PartialIndexes = (),
    wide: bool = False,
) -> "Table":
    """Map a row type to the table `name`.

    A prefix index begins with the prefix of its first column, which may be any length; it holds only the rows that have
    that column, and costs the others nothing. A partial index is found by statements that have its condition, word by
    word. SQLite keeps rows in the key's own tree, except `wide` ones, which would overflow its pages.
    """
    TABLES[row_type] = MappedTable(
        name,
        row_type,
        indexes=indexes,
        prefix_indexes=prefix_indexes,
        partial_indexes=partial_indexes,
        wide=wide,
    )
    return cast("Table", TABLES[row_type])


def create_tables(connection: Connection) -> None:
    """Create every table and index that is missing."""
    for statement in texts_ahead(connection.dialect).tables():
        connection.driver.execute(statement)


# --- for SQLAlchemy -----------------------------------------------------------------------------------------------


@cache
def metadata() -> "MetaData":
    """Every table, once it is asked for its columns."""
    from sqlalchemy import MetaData

    return MetaData()


def _table(
    name: str,
    row_type: type[ProjectionRow],
    indexes: Indexes,
    prefix_indexes: Indexes,
    partial_indexes: PartialIndexes,
    wide: bool,
) -> "Table":
    from sqlalchemy import Index, PrimaryKeyConstraint, Table

    hints = get_type_hints(row_type)
    columns = [_column(column, hints[column], column in row_type.primary_key) for column in column_names(row_type)]
    # The column order of a key is the order of the lookup, which need not be the order of the columns.
    key = PrimaryKeyConstraint(*row_type.primary_key)
    declared = [Index(_index_name(name, index), *index) for index in indexes]
    if row_type.is_fact:
        # The present is found without walking the past, and there is at most one open row.
        declared.append(_partial(f"{name}_open", row_type.lookup_key, "to_position IS NULL", unique=True))
    table = Table(name, metadata(), *columns, key, *declared, sqlite_with_rowid=wide)
    for index in prefix_indexes:
        parts = (prefix_of(table.c[index[0]]), *[table.c[column] for column in index[1:]])
        _partial(_index_name(name, index), parts, f"{index[0]} IS NOT NULL")
    for label, columns_of_it, condition in partial_indexes:
        _partial(f"{name}_{label}", tuple(table.c[column] for column in columns_of_it), condition)
    return table


def _index_name(table: str, columns: tuple[str, ...]) -> str:
    return f"{table}_by_{'_'.join(columns)}"


def _partial(name: str, columns: tuple[Any, ...], condition: str, *, unique: bool = False) -> "Index":
    from sqlalchemy import Index, text

    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _column(name: str, hint: Any, primary_key: bool) -> "Column[Any]":
    from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Text

    # Text sorts by code point on every database; PostgreSQL needs to be told.
    plain, optional = _plain(hint)
    kinds = {int: BigInteger, bytes: LargeBinary, bool: Boolean}
    kind = kinds[plain]() if plain in kinds else Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, kind, primary_key=primary_key, nullable=optional, autoincrement=False)


def _plain(hint: Any) -> tuple[type, bool]:
    """The type of a column's values, and whether there may be none."""
    optional = isinstance(hint, types.UnionType)
    return next(a for a in get_args(hint) if a is not types.NoneType) if optional else hint, optional
