"""How a row is declared: a frozen dataclass and its key. No database is known here."""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, ClassVar, TypeVar


class ProjectionRow:
    """Base of all rows."""

    __slots__ = ()
    primary_key: ClassVar[tuple[str, ...]]
    lookup_key: ClassVar[tuple[str, ...]]  # how `State.get` finds it; for facts, among the open rows only
    is_fact: ClassVar[bool]
    values: ClassVar[Callable[[Any], tuple[Any, ...]]]  # all fields, in order
    lookup: ClassVar[Callable[[Any], tuple[Any, ...]]]  # the fields of the lookup key


RowType = TypeVar("RowType", bound=type[ProjectionRow])


def row(*, key: tuple[str, ...]) -> Callable[[RowType], RowType]:
    """Give a dataclass its key. One with a `to_position` is a fact: `from_position` becomes part of its primary key."""

    def declare(row_type: RowType) -> RowType:
        names = [field.name for field in fields(row_type)]  # type: ignore[arg-type]
        row_type.is_fact = "to_position" in names
        row_type.lookup_key = key
        row_type.primary_key = (*key, "from_position") if row_type.is_fact else key
        row_type.values = staticmethod(attrgetter(*names))
        row_type.lookup = staticmethod(_getter(key))
        return row_type

    return declare


def _getter(key: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(key) > 1:
        return attrgetter(*key)
    single = attrgetter(key[0])
    return lambda row: (single(row),)
