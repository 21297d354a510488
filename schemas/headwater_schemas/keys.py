"""Record keys, sessions and event ids.

A key contains the kind of its subject, so that a run and an artifact of the same name have different keys.
"""

import os
import re
import time
from functools import lru_cache

from blake3 import blake3

from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import KEY_LENGTH_MAX, SESSION_DIGITS
from headwater_schemas.names import CollectionName, RunName, check_project

COLLECTION = "collection"
RUN = "run"
PROJECT = "project"
BROADCAST = "broadcast"
UNKNOWN = "unknown"  # stands for a key of no known shape
UNKNOWN_SESSION = ""  # stands for what is no session

_UNKNOWN_KEY = re.compile(rf"{UNKNOWN}:[0-9a-f]{{32}}")
# Lower case only: two different sessions must not give the same event id.
_HEXADECIMAL = re.compile(rf"[0-9a-f]{{{SESSION_DIGITS}}}")  # a session, or a UUID
_START_DIGITS = 12  # of a session id: milliseconds since 1970
_SESSIONS_KEPT_MAX = 1024


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
        if check := _NAME_CHECKS.get(kind):
            check(name)
            return key
        if _UNKNOWN_KEY.fullmatch(key):
            return key
    shown = quoted(key, 100) if isinstance(key, str) else type(key).__name__
    raise InvalidName(f"{shown} is not the key of a record. Use one of collection:…, run:…, project:… or broadcast:….")


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
    return _check_hexadecimal(session, "a session id", "Begin a new session.")


def broadcast_key(project: str = "") -> str:
    """The key of events that are written to every partition, about a project or the whole store.

    A key of their own: within each partition a writer's events of one key are numbered without a gap.
    """
    return f"{BROADCAST}:{project}"


def check_broadcast(broadcast: object) -> str:
    """Return `broadcast` if it can identify an event of all partitions; raise InvalidInput if not."""
    return _check_hexadecimal(broadcast, "the id of a broadcast", "Make another one.")


def _check_hexadecimal(value: object, kind: str, advice: str) -> str:
    if isinstance(value, str) and _HEXADECIMAL.fullmatch(value):
        return value
    shown = quoted(value, 100) if isinstance(value, str) else type(value).__name__
    raise InvalidInput(f"{shown} is not {kind}: {SESSION_DIGITS} hexadecimal digits, lower case. {advice}")


def _check_scope(project: str) -> None:
    if project:
        check_project(project)


def new_session(start_ms: int | None = None) -> str:
    """A new session id: its start (milliseconds since 1970, UTC) in 12 hexadecimal digits, then 20 random ones.

    It starts now, unless given by another clock.
    """
    start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms
    return f"{max(0, start_ms):0{_START_DIGITS}x}{os.urandom(10).hex()}"


def session_start_ms(session: str) -> int:
    """When a session started by its writer's clock, in milliseconds since 1970, UTC. Raises: InvalidInput."""
    return int(check_session(session)[:_START_DIGITS], 16)


def first_session(start_ms: int) -> str:
    """The lowest id of a session that started at `start_ms`; ids sort by start."""
    return f"{max(0, start_ms):0{_START_DIGITS}x}{'0' * 20}"


def event_id(session: str, key: str, sequence: int) -> str:
    """UUIDv5 of (session, key, sequence): sending an event again gives the same id.

    The session is the namespace, the name is `key`, a newline and the decimal sequence. Raises: InvalidInput when
    `session` is not a session id.
    """
    named = _namespace(session) + f"{key}\n{sequence}".encode()
    import hashlib  # deferred: OpenSSL, which who only reads does not need

    digest = hashlib.sha1(named, usedforsecurity=False).hexdigest()
    # By hand: `uuid.uuid5` takes six times as long, and every event has an id, which is made twice.
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


@lru_cache(_SESSIONS_KEPT_MAX)
def _namespace(session: str) -> bytes:
    """A session as the namespace of its events. Raises: InvalidInput."""
    return bytes.fromhex(check_session(session))


_NAME_CHECKS = {COLLECTION: CollectionName.parse, RUN: RunName.parse, PROJECT: check_project, BROADCAST: _check_scope}
