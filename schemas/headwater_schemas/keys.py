"""Record keys and event ids.

A key contains the kind of its subject, so that a run and an artifact of the same name have different keys.
"""

import re
import uuid

from headwater_schemas.errors import InvalidInput

COLLECTION = "collection"
RUN = "run"
PROJECT = "project"
# Lower case only: two different sessions must not give the same event id.
_SESSION = re.compile(r"[0-9a-f]{32}")


def collection_key(collection: str) -> str:
    return f"{COLLECTION}:{collection}"


def run_key(run: str) -> str:
    return f"{RUN}:{run}"


def project_key(project: str) -> str:
    """The key of project events. `project` is `entity/project`."""
    return f"{PROJECT}:{project}"


def new_session() -> str:
    """A new session id: 32 hexadecimal digits, lower case."""
    return uuid.uuid4().hex


def event_id(session: str, key: str, sequence: int) -> str:
    """UUIDv5 of (session, key, sequence): sending an event again gives the same id.

    The session is the namespace, the name is `key`, a newline and the decimal sequence. Raises: InvalidInput when
    `session` is not a session id.
    """
    if not _SESSION.fullmatch(session):
        raise InvalidInput(f"{session!r} is not a session id: 32 hexadecimal digits, lower case.")
    return str(uuid.uuid5(uuid.UUID(hex=session), f"{key}\n{sequence}"))
