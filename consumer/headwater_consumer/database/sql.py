"""SQLAlchemy's words for tables and statements, imported when the first of them is used.

Most processes never do: their statements were compiled ahead, and importing it takes longer than all that they do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import BigInteger as BigInteger
    from sqlalchemy import LargeBinary as LargeBinary
    from sqlalchemy import Text as Text
    from sqlalchemy import and_ as and_
    from sqlalchemy import bindparam as bindparam
    from sqlalchemy import case as case
    from sqlalchemy import cast as cast
    from sqlalchemy import column as column
    from sqlalchemy import delete as delete
    from sqlalchemy import exists as exists
    from sqlalchemy import func as func
    from sqlalchemy import insert as insert
    from sqlalchemy import literal as literal
    from sqlalchemy import literal_column as literal_column
    from sqlalchemy import null as null
    from sqlalchemy import or_ as or_
    from sqlalchemy import select as select
    from sqlalchemy import tuple_ as tuple_
    from sqlalchemy import type_coerce as type_coerce
    from sqlalchemy import union_all as union_all
    from sqlalchemy import update as update
    from sqlalchemy import values as values


class _Word:
    """Stands for a name of SQLAlchemy's. It is called or has its attributes read, and is never passed on itself."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return getattr(import_module("sqlalchemy"), self._name)(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(import_module("sqlalchemy"), self._name), name)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Word(name)
