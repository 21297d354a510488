"""Lists are read some rows at a time, and end where they have much text: a row can hold half a megabyte of it."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from headwater_consumer.database import Database
from headwater_consumer.queries.reads import ListQuery

ROWS_AT_ONCE = 64  # of a list: of the longest that there can be, 34 MB
CHARACTERS_MAX = 4 * 1024 * 1024  # of one answer, and ROWS_AT_ONCE rows beyond: its caller asks for the rest


def listed(query: ListQuery[Any, Any], database: Database, arguments: Mapping[str, Any]) -> tuple[list[Any], bool]:
    """The items of a list, and whether it ended before its `limit` since they have much text."""
    found: list[Any] = []
    size, given, limit = 0, dict(arguments), arguments["limit"]
    while len(found) < limit:
        if size >= CHARACTERS_MAX:
            return found, True
        wanted = given["limit"] = min(ROWS_AT_ONCE, limit - len(found))
        page = query.function(database, **given)
        found += page
        if len(page) < wanted:
            break
        size += sum(map(characters_in, page))
        given[query.by] = query.key(page[-1])
    return found, False


def characters_in(value: object) -> int:
    """The text in a record or a part of one, and bytes."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, tuple | list):
        return sum(map(characters_in, value))
    if is_dataclass(value):
        return sum(characters_in(getattr(value, one.name)) for one in fields(value))
    return 0
