"""How a row is declared: a frozen dataclass and its key. No database is known here."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, TypeVar

from headwater_schemas.record_values import values_of


class ProjectionRow:
    """Base of all rows."""

    __slots__ = ()
    primary_key: ClassVar[tuple[str, ...]]
    lookup_key: ClassVar[tuple[str, ...]]  # how `State.get` finds it; for facts, among the open rows only
    is_fact: ClassVar[bool]
    indexes: ClassVar[Mapping[str, int]]  # of its fields, by name
    values: ClassVar[Callable[[Any], tuple[Any, ...]]]  # all fields, in order
    primary: ClassVar[Callable[[Any], tuple[Any, ...]]]  # the fields of the primary key
    lookup: ClassVar[Callable[[Any], tuple[Any, ...]]]  # the fields of the lookup key


R = TypeVar("R", bound=ProjectionRow)
RowType = TypeVar("RowType", bound=type[ProjectionRow])


def row(*, key: tuple[str, ...]) -> Callable[[RowType], RowType]:
    """Give a dataclass its key. One with a `to_position` is a fact: `from_position` becomes part of its primary key."""

    def declare(row_type: RowType) -> RowType:
        names = [field.name for field in fields(row_type)]  # type: ignore[arg-type]
        row_type.is_fact = "to_position" in names
        row_type.lookup_key = key
        row_type.primary_key = (*key, "from_position") if row_type.is_fact else key
        row_type.indexes = {name: index for index, name in enumerate(names)}
        row_type.values = staticmethod(values_of(names))
        row_type.primary = staticmethod(values_of(row_type.primary_key))
        row_type.lookup = staticmethod(values_of(key))
        return row_type

    return declare


def changed(row: R, **values: object) -> R:
    """A copy of `row` with other values in these fields: `dataclasses.replace` at a third of its cost."""
    row_type = type(row)
    copied = list(row_type.values(row))
    for name, value in values.items():
        copied[row_type.indexes[name]] = value
    return row_type(*copied)
