"""Names of staged bytes in a folder: `<writer>/<32 hex>`, where a writer is a process that stages, 32 hex digits too.

Names of objects are in `headwater_schemas.object_names`.
"""

import re
import uuid

from headwater_schemas.errors import InvalidInput

_WRITER = re.compile("[0-9a-f]{32}")
_STAGED = re.compile(f"({_WRITER.pattern})/({_WRITER.pattern})")


def new_writer() -> str:
    """A name for a writer that no other has."""
    return uuid.uuid4().hex


def staged_name(writer: str) -> str:
    """A new name for bytes that this writer stages."""
    return f"{writer}/{uuid.uuid4().hex}"


def is_writer(name: str) -> bool:
    """Whether `name` has the form of `new_writer`."""
    return _WRITER.fullmatch(name) is not None


def is_staged_name(name: object) -> bool:
    """Whether `name` has the form of `staged_name`, of any writer."""
    return isinstance(name, str) and _STAGED.fullmatch(name) is not None


def writer_of(name: str) -> str:
    """Who staged these bytes. Raises: as `check_staged_name`."""
    return check_staged_name(name).partition("/")[0]


def check_staged_name(name: str) -> str:
    """Return `name` if it has the form of `staged_name`, of any writer. Raises: InvalidInput for anything else."""
    if not is_staged_name(name):
        raise InvalidInput(
            f"{str(name)[:300]!r} is not the name of staged bytes; nothing was done. Pass one from `abandoned`."
        )
    return name
