"""Record keys, sessions and event ids.

A key contains the kind of its subject, so that a run and an artifact of the same name have different keys.
"""

import re
import uuid

from blake3 import blake3

from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import KEY_LENGTH_MAX, SESSION_DIGITS
from headwater_schemas.names import CollectionName, RunName, check_project

COLLECTION = "collection"
RUN = "run"
PROJECT = "project"
UNKNOWN = "unknown"  # stands for a key of no known shape
UNKNOWN_SESSION = ""  # stands for what is no session

_CHECKS = {COLLECTION: CollectionName.parse, RUN: RunName.parse, PROJECT: check_project}
_UNKNOWN_KEY = re.compile(rf"{UNKNOWN}:[0-9a-f]{{32}}")
# Lower case only: two different sessions must not give the same event id.
_SESSION = re.compile(rf"[0-9a-f]{{{SESSION_DIGITS}}}")


def collection_key(collection: str) -> str:
    return f"{COLLECTION}:{collection}"


def run_key(run: str) -> str:
    return f"{RUN}:{run}"


def project_key(project: str) -> str:
    """The key of project events. `project` is `entity/project`."""
    return f"{PROJECT}:{project}"


def check_key(key: object) -> str:
    """Return `key` if it is exactly one that this module makes; raise InvalidName if not."""
    if isinstance(key, str) and len(key) <= KEY_LENGTH_MAX:
        kind, _, name = key.partition(":")
        if check := _CHECKS.get(kind):
            check(name)
            return key
        if _UNKNOWN_KEY.fullmatch(key):
            return key
    shown = quoted(key, 100) if isinstance(key, str) else type(key).__name__
    raise InvalidName(f"{shown} is not the key of a record. Use one of collection:…, run:… or project:….")


def stored_key(key: str) -> str:
    """How a projection names the key of a record: as it is, or by a hash if it has no known shape.

    Whoever writes to the log directly can give a record any key; no index could hold all of them.
    """
    try:
        return check_key(key)
    except InvalidName:
        return f"{UNKNOWN}:{blake3(key.encode('utf-8', 'surrogatepass')).hexdigest(length=16)}"


def check_session(session: object) -> str:
    """Return `session` if it is a session id; raise InvalidInput if not."""
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        shown = quoted(session, 100) if isinstance(session, str) else type(session).__name__
        raise InvalidInput(
            f"{shown} is not a session id: {SESSION_DIGITS} hexadecimal digits, lower case. Begin a new session."
        )
    return session


def new_session() -> str:
    """A new session id: 32 hexadecimal digits, lower case."""
    return uuid.uuid4().hex


def event_id(session: str, key: str, sequence: int) -> str:
    """UUIDv5 of (session, key, sequence): sending an event again gives the same id.

    The session is the namespace, the name is `key`, a newline and the decimal sequence. Raises: InvalidInput when
    `session` is not a session id.
    """
    return str(uuid.uuid5(uuid.UUID(hex=check_session(session)), f"{key}\n{sequence}"))
