"""Queries of different shapes as one statement, so that one round trip and one snapshot answer several questions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headwater_consumer.database.sql import cast, literal_column, null, union_all

if TYPE_CHECKING:
    from sqlalchemy import CompoundSelect, Select


def in_one_statement(branches: "Mapping[str, Select[Any]]") -> "CompoundSelect[Any]":
    """All rows of all branches, in no order: each has its `kind`, and None in the columns of the others.

    Columns of one name have one type. The kinds are ours: they become a part of the statement.
    """
    types: dict[str, Any] = {}
    for branch in branches.values():
        types = {name: column.type for name, column in branch.selected_columns.items()} | types
    first, *others = branches.items()
    # The first one gives each column its type: NULL alone has none.
    selects = [_widened(*first, {name: cast(null(), type_) for name, type_ in types.items()})]
    return union_all(*selects, *[_widened(kind, branch, dict.fromkeys(types, null())) for kind, branch in others])


def _widened(kind: str, branch: "Select[Any]", columns: Mapping[str, Any]) -> "Select[Any]":
    own = dict(branch.selected_columns.items())
    labelled = [own.get(name, missing).label(name) for name, missing in columns.items()]
    return branch.with_only_columns(literal_column(f"'{kind}'").label("kind"), *labelled, maintain_column_froms=True)
