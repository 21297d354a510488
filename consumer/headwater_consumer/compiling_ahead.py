"""`python -m headwater_consumer.compiling_ahead`: write the texts of statements that `database.ahead` reads.

Run it after a change of a table or statement; a test compares the files with what the code builds.
"""

import inspect
import pkgutil
from collections.abc import Iterator
from enum import EnumType
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, get_args

from sqlalchemy.schema import CreateIndex, CreateTable

import headwater_consumer
from headwater_consumer.database.ahead import file_content, file_name
from headwater_consumer.database.compiled_statements import (
    BUILDERS,
    KEYS_PER_STATEMENT_MAX,
    CompiledStatement,
    dialect_of,
    name_of,
)
from headwater_consumer.database.connection import POSTGRESQL, SQLITE
from headwater_consumer.database.row_mapping import TABLES, metadata

SIZES = tuple(1 << n for n in range(KEYS_PER_STATEMENT_MAX.bit_length()))  # see `padded`
_FOLDER = Path(__file__).parent / "database"


def files() -> dict[Path, str]:
    """Each file, and what is to be in it."""
    for module in pkgutil.walk_packages(headwater_consumer.__path__, "headwater_consumer."):
        import_module(module.name)
    return {_FOLDER / file_name(dialect): _content(dialect) for dialect in (SQLITE, POSTGRESQL)}


def _content(dialect: str) -> str:
    statements = {statement.name: statement.compile(dialect) for statement in _all_statements()}
    return file_content(_table_definitions(dialect), statements)


def _all_statements() -> Iterator[CompiledStatement]:
    for name, build in BUILDERS.items():
        choices = [_choices(kind) for kind in _parameters(build)]
        for arguments in product(*choices):
            yield CompiledStatement(name_of(name, arguments), lambda b=build, a=arguments: b(*a))  # type: ignore[misc]


def _parameters(build: Any) -> list[Any]:
    return [parameter.annotation for parameter in inspect.signature(build).parameters.values()]


def _choices(kind: Any) -> tuple[Any, ...]:
    """The values of a builder's parameter for which statements are compiled ahead."""
    if kind is bool:
        return (False, True)
    if kind is int:
        return SIZES
    if isinstance(kind, EnumType):
        return tuple(kind)
    assert get_args(kind), f"a statement cannot depend on {kind}: use bool, int, an Enum or a tuple of those"
    return tuple(product(*map(_choices, get_args(kind))))


def _table_definitions(dialect: str) -> list[str]:
    speaker = dialect_of(dialect)
    for mapped in TABLES.values():
        mapped.__clause_element__()
    found: list[str] = []
    for table in metadata().sorted_tables:
        found.append(str(CreateTable(table, if_not_exists=True).compile(dialect=speaker)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        found += [str(CreateIndex(index, if_not_exists=True).compile(dialect=speaker)) for index in indexes]
    return [" ".join(text.split()) for text in found]


if __name__ == "__main__":
    for file, content in files().items():
        file.write_text(content)
