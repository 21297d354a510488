"""How a row is declared: one frozen record gives the table, its keys and its indexes."""

import types
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

SCHEMA = MetaData()

# Text sorts by code point on every database; PostgreSQL needs to be told.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_COLUMN_TYPES: dict[type, TypeEngine[Any]] = {int: BigInteger(), str: _TEXT, bytes: LargeBinary(), bool: Boolean()}


class Row:
    """Base of all rows."""

    __slots__ = ()
    table: ClassVar[Table]
    primary_key: ClassVar[tuple[str, ...]]
    lookup_key: ClassVar[tuple[str, ...]]  # what `State.get` finds it by; for facts, among the open rows only
    is_fact: ClassVar[bool]
    values: ClassVar[Callable[[Any], tuple[Any, ...]]]  # all columns, in order
    lookup: ClassVar[Callable[[Any], tuple[Any, ...]]]  # the columns of the lookup key


RowType = TypeVar("RowType", bound=type[Row])


def row(
    name: str,
    *,
    key: tuple[str, ...],
    indexes: tuple[tuple[str, ...], ...] = (),
    sparse_indexes: tuple[tuple[str, ...], ...] = (),
    wide: bool = False,
) -> Callable[[RowType], RowType]:
    """Make the table `name` from a record. A record with `to_position` is a fact: `from_position` joins its key.

    A sparse index holds only the rows that have its first column, and costs the others nothing. SQLite keeps rows in
    the key's own tree, except `wide` ones, which would overflow its pages.
    """

    def declare(row_type: RowType) -> RowType:
        names = [f.name for f in fields(row_type)]  # type: ignore[arg-type]
        row_type.is_fact = "to_position" in names
        row_type.lookup_key = key
        row_type.primary_key = (*key, "from_position") if row_type.is_fact else key
        row_type.values = staticmethod(attrgetter(*names))
        row_type.lookup = staticmethod(_getter(key))
        row_type.table = _table(name, row_type, indexes, sparse_indexes, wide)
        return row_type

    return declare


def _getter(key: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(key) > 1:
        return attrgetter(*key)
    single = attrgetter(key[0])
    return lambda row: (single(row),)


def _table(
    name: str,
    row_type: type[Row],
    indexes: tuple[tuple[str, ...], ...],
    sparse_indexes: tuple[tuple[str, ...], ...],
    wide: bool,
) -> Table:
    hints = get_type_hints(row_type)
    names = [f.name for f in fields(row_type)]  # type: ignore[arg-type]
    columns = [_column(column, hints[column], column in row_type.primary_key) for column in names]
    # The column order of a key is the order of the lookup, which need not be the order of the columns.
    key = PrimaryKeyConstraint(*row_type.primary_key)
    made = [Index(_index_name(name, index), *index) for index in indexes]
    made += [_partial(_index_name(name, index), index, f"{index[0]} IS NOT NULL") for index in sparse_indexes]
    if row_type.is_fact:
        # The present is found without walking the past, and there is one present at the most.
        made.append(_partial(f"{name}_open", row_type.lookup_key, "to_position IS NULL", unique=True))
    return Table(name, SCHEMA, *columns, key, *made, sqlite_with_rowid=wide)


def _index_name(table: str, columns: tuple[str, ...]) -> str:
    return f"{table}_by_{'_'.join(columns)}"


def _partial(name: str, columns: tuple[str, ...], condition: str, *, unique: bool = False) -> Index:
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _column(name: str, hint: Any, primary_key: bool) -> Column[Any]:
    optional = isinstance(hint, types.UnionType)
    plain = next(a for a in get_args(hint) if a is not types.NoneType) if optional else hint
    return Column(name, _COLUMN_TYPES[plain], primary_key=primary_key, nullable=optional, autoincrement=False)
