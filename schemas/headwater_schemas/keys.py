"""Kafka keys and event ids.

A key says which kind of thing it orders, so that a run and an artifact of one name never meet.
"""

import re
import uuid

from headwater_schemas.errors import InvalidInput

COLLECTION = "collection"
RUN = "run"
PROJECT = "project"
_KINDS = (COLLECTION, RUN, PROJECT)
# One spelling only: two sessions that differ must not give the same event id.
_SESSION = re.compile(r"[0-9a-f]{32}")


def collection_key(collection: str) -> str:
    return f"{COLLECTION}:{collection}"


def run_key(run: str) -> str:
    return f"{RUN}:{run}"


def project_key(project: str) -> str:
    """The key of administration. `project` is `entity/project`."""
    return f"{PROJECT}:{project}"


def split_key(key: str) -> tuple[str, str]:
    """`"run:e/p/id"` → `("run", "e/p/id")`. Raises: InvalidInput when the kind is unknown."""
    kind, _, name = key.partition(":")
    if kind not in _KINDS:
        raise InvalidInput(f"{key!r} is not an event key: it must start with one of {', '.join(_KINDS)}.")
    return kind, name


def new_session() -> str:
    """A fresh session id: 32 hexadecimal digits, lower case."""
    return uuid.uuid4().hex


def event_id(session: str, key: str, sequence: int) -> str:
    """UUIDv5 of (session, key, sequence): sending an event again gives the same id.

    The session is the namespace, the name is `key`, a newline and the decimal sequence. Raises: InvalidInput when
    `session` is not a session id.
    """
    if not _SESSION.fullmatch(session):
        raise InvalidInput(f"{session!r} is not a session id: 32 hexadecimal digits, lower case.")
    return str(uuid.uuid5(uuid.UUID(hex=session), f"{key}\n{sequence}"))
