"""The texts of statements that were compiled ahead, by `headwater_consumer.compiling_ahead`. One file a dialect."""

import json
from functools import cache
from pkgutil import get_data
from typing import Any, NamedTuple


class CompiledText(NamedTuple):
    """A statement in one dialect."""

    sql: str
    parameters: tuple[str, ...]  # the names of its values, in the order of its placeholders
    constants: dict[str, Any]  # the values that are part of the statement
    columns: tuple[str, ...]  # the names of what it gives


class TextsAhead(NamedTuple):
    """All that was compiled ahead for one dialect."""

    tables: list[str]  # the statements that create tables and indexes where they are missing
    statements: dict[str, CompiledText]


def file_name(dialect: str) -> str:
    """The file beside this module that has the texts of a dialect."""
    return f"{dialect}.json"


@cache
def texts_ahead(dialect: str) -> TextsAhead:
    """The texts of a dialect."""
    content = get_data(__name__, file_name(dialect))
    assert content is not None, "the file is part of this package"
    found = json.loads(content)
    statements = {
        name: CompiledText(sql, tuple(parameters), constants, tuple(columns))
        for name, (sql, parameters, constants, columns) in found["statements"].items()
    }
    return TextsAhead(found["tables"], statements)
