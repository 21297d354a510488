"""The texts of statements that were compiled ahead, by `headwater_consumer.compiling_ahead`. One file a dialect.

A process needs a few of four hundred statements, and parsing all takes longer than they do. Each has a line of its own,
which is looked for and parsed when it is asked for.
"""

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


_STATEMENTS = ',\n"statements": {'


class TextsAhead:
    """All that was compiled ahead for one dialect."""

    def __init__(self, content: bytes) -> None:
        self._content = content  # as `file_content` writes it

    def tables(self) -> list[str]:
        """The statements that create tables and indexes where they are missing."""
        before = self._content[: self._content.index(_STATEMENTS.encode())]
        found: list[str] = json.loads(before + b"}")["tables"]
        return found

    def statement(self, name: str) -> CompiledText | None:
        """The text of a statement; None if it was not compiled ahead."""
        beginning = f"\n{json.dumps(name)}: ".encode()
        start = self._content.find(beginning)
        if start < 0:
            return None
        line = self._content[start + len(beginning) : self._content.index(b"\n", start + 1)]
        sql, parameters, constants, columns = json.loads(line.rstrip(b","))
        return CompiledText(sql, tuple(parameters), constants, tuple(columns))


def file_content(tables: list[str], statements: dict[str, CompiledText]) -> str:
    """JSON with a line for each statement, so that each is read alone, and changes alone."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(statements[name])}" for name in sorted(statements))
    definitions = ",\n".join(map(json.dumps, tables))
    return f'{{"tables": [\n{definitions}\n]{_STATEMENTS}\n{lines}\n}}}}\n'


def file_name(dialect: str) -> str:
    """The file beside this module that has the texts of a dialect."""
    return f"{dialect}.json"


@cache
def texts_ahead(dialect: str) -> TextsAhead:
    """The texts of a dialect."""
    content = get_data(__name__, file_name(dialect))
    assert content is not None, "the file is part of this package"
    return TextsAhead(content)
