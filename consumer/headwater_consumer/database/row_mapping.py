"""Row mapping: a table for each row type, with the columns that its fields declare."""

import types
from collections.abc import Hashable
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.types import TypeEngine

from headwater_consumer.rows.base import ProjectionRow

SCHEMA = MetaData()

# Text sorts by code point on every database; PostgreSQL needs to be told.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_COLUMN_TYPES: dict[type, TypeEngine[Any]] = {int: BigInteger(), str: _TEXT, bytes: LargeBinary(), bool: Boolean()}

# A row of PostgreSQL's index has at most 2,704 bytes, and a character up to four.
PREFIX_LENGTH = 512  # characters

TABLES: dict[type[ProjectionRow], Table] = {}  # filled by `tables`


def table_of(row_type: type[ProjectionRow]) -> Table:
    """The table that holds rows of this type."""
    return TABLES[row_type]


def prefix_of(column: ColumnElement[str]) -> ColumnElement[str]:
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
    indexes: tuple[tuple[str, ...], ...] = (),
    prefix_indexes: tuple[tuple[str, ...], ...] = (),
    wide: bool = False,
) -> Table:
    """Map a row type to the table `name`.

    A prefix index begins with the prefix of its first column, which may be any length; it holds only the rows that have
    that column, and costs the others nothing. SQLite keeps rows in the key's own tree, except `wide` ones, which would
    overflow its pages.
    """
    hints = get_type_hints(row_type)
    names = [field.name for field in fields(row_type)]  # type: ignore[arg-type]
    columns = [_column(column, hints[column], column in row_type.primary_key) for column in names]
    # The column order of a key is the order of the lookup, which need not be the order of the columns.
    key = PrimaryKeyConstraint(*row_type.primary_key)
    declared = [Index(_index_name(name, index), *index) for index in indexes]
    if row_type.is_fact:
        # The present is found without walking the past, and there is at most one open row.
        declared.append(_partial(f"{name}_open", row_type.lookup_key, "to_position IS NULL", unique=True))
    table = Table(name, SCHEMA, *columns, key, *declared, sqlite_with_rowid=wide)
    for index in prefix_indexes:
        parts = (prefix_of(table.c[index[0]]), *[table.c[column] for column in index[1:]])
        _partial(_index_name(name, index), parts, f"{index[0]} IS NOT NULL")
    TABLES[row_type] = table
    return table


def _index_name(table: str, columns: tuple[str, ...]) -> str:
    return f"{table}_by_{'_'.join(columns)}"


def _partial(name: str, columns: tuple[Any, ...], condition: str, *, unique: bool = False) -> Index:
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _column(name: str, hint: Any, primary_key: bool) -> Column[Any]:
    optional = isinstance(hint, types.UnionType)
    plain = next(a for a in get_args(hint) if a is not types.NoneType) if optional else hint
    return Column(name, _COLUMN_TYPES[plain], primary_key=primary_key, nullable=optional, autoincrement=False)
