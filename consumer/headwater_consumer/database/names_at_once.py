"""Statements about some of many names, such as those of objects: so many of them at a time as a statement takes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from headwater_consumer.database.compiled_statements import KEYS_PER_STATEMENT_MAX, CompiledStatement, padded
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import bindparam


def is_one_of(column: Any, count: int) -> Any:
    """The condition that a column has one of `count` names, which `names_at_once` gives."""
    return column.in_([bindparam(f"name_{i}") for i in range(count)])


def names_at_once(names: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Some names at a time, in their order: how many a statement must be for, and its parameters."""
    wanted = sorted(set(names))
    for start in range(0, len(wanted), KEYS_PER_STATEMENT_MAX):
        chunk = padded(wanted[start : start + KEYS_PER_STATEMENT_MAX])
        yield len(chunk), {f"name_{i}": name for i, name in enumerate(chunk)}


def found_among(connection: Connection, query: Callable[[int], CompiledStatement], names: Iterable[str]) -> set[str]:
    """What a query of one column, made for a number of names, finds for these."""
    return {name for count, values in names_at_once(names) for (name,) in query(count).tuples(connection, **values)}
