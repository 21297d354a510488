"""Names of objects in a blob store.

    packs/ENTITY/PROJECT/<32 hex>                       many small files; a random name, never given twice
    files/ENTITY/PROJECT/<algorithm>-<hex>-<attempt>    one large file, named by its content, so that it is stored once

`attempt` is 0 until a name is condemned; a condemned name is never used again, so the same content then takes the next
one.

Names come from events, which any writer may have written. Call `check_object_name` before making a path or key of one.
"""

import re
import uuid

from headwater_schemas import digests, names
from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import ATTEMPT_MAX, OBJECT_NAME_LENGTH_MAX

PACKS = "packs"
FILES = "files"
KINDS = (FILES, PACKS)  # in the order in which names sort

_PACK_LEAF = re.compile(r"[0-9a-f]{32}")
_FILE_LEAF = re.compile(
    "(?:"
    + "|".join(f"{name}-[0-9a-f]{{{2 * size}}}" for name, size in digests.DIGEST_BYTES.items())
    + f")-(?:0|[1-9][0-9]{{0,{len(str(ATTEMPT_MAX)) - 1}}})"
)
_LEAVES = {PACKS: _PACK_LEAF, FILES: _FILE_LEAF}


def pack_name(project: str) -> str:
    """A name that was never used. `project` is `entity/project`. Raises: InvalidName."""
    return f"{PACKS}/{_check_project(project)}/{uuid.uuid4().hex}"


def file_name(project: str, digest: bytes, attempt: int = 0) -> str:
    """The name for content with `digest` (stored form): the same for every writer.

    Raises: InvalidName for the project, InvalidInput for the digest or the attempt.
    """
    if not 0 <= attempt <= ATTEMPT_MAX:
        raise InvalidInput(f"attempt {attempt} is out of range: 0 to {ATTEMPT_MAX:,}.")
    return f"{FILES}/{_check_project(project)}/{digests.to_text(digest).replace(':', '-')}-{attempt}"


def attempt_range(project: str, digest: bytes) -> tuple[str, str]:
    """Bounds, themselves no names, between which all names for large content with `digest` are, of every attempt."""
    start = file_name(project, digest).removesuffix("0")
    return start, f"{start}:"  # the character after "9"


def place_label(project: str) -> str:
    """What a server tells its clients in place of any object of "entity/project": they read contents by digest."""
    return f"{PACKS}/{project}/{'0' * 32}"


def lost_label(project: str) -> str:
    """What a server tells its clients in place of objects of "entity/project" that the store should have and lacks."""
    return f"{PACKS}/{project}/{'f' * 32}"


def attempt_of(name: str) -> int | None:
    """The attempt in the name of a large file's object; None for a pack. Raises: as `check_object_name`."""
    leaf = check_object_name(name).rpartition("/")[2]
    return None if name.startswith(PACKS) else int(leaf.rpartition("-")[2])


def project_of(name: str) -> str:
    """`entity/project` of an object. Raises: InvalidInput as `check_object_name`."""
    _, entity, project, _ = check_object_name(name).split("/")
    return f"{entity}/{project}"


def check_object_name(name: str) -> str:
    """Return `name` if it has exactly one of the shapes above. Raises: InvalidInput for anything else."""
    if not is_object_name(name):
        raise InvalidInput(
            f"{quoted(str(name), 300)} is not the name of an object; nothing was done. "
            "Names are packs/ENTITY/PROJECT/… and files/ENTITY/PROJECT/…; check the event that recorded this one."
        )
    return name


def is_object_name(name: object) -> bool:
    """Whether `name` has exactly one of the shapes above."""
    parts = name.split("/") if isinstance(name, str) and len(name) <= OBJECT_NAME_LENGTH_MAX else []
    leaf = _LEAVES.get(parts[0]) if len(parts) == 4 else None
    return leaf is not None and leaf.fullmatch(parts[3]) is not None and _are_names(parts[1], parts[2])


def is_name_prefix(prefix: str) -> bool:
    """Whether the name of an object can start with `prefix`. A store need not be asked about any other prefix."""
    kind, *rest = prefix.split("/")
    if not rest:
        return any(known.startswith(kind) for known in _LEAVES)
    return kind in _LEAVES and len(rest) <= 3 and all(_are_names(name, "p") for name in rest[:-1])


def _are_names(entity: str, project: str) -> bool:
    try:
        _check_project(f"{entity}/{project}")
    except InvalidInput:
        return False
    return True


def _check_project(project: str) -> str:
    entity, _, name = project.partition("/")
    names.check_name(entity, "entity")
    names.check_name(name, "project")
    return project
