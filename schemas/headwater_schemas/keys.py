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
from headwater_schemas.names import CollectionName, RunName, check_name, check_project

COLLECTION = "collection"
RUN = "run"
PROJECT = "project"
ENTITY = "entity"
BROADCAST = "broadcast"
UNKNOWN = "unknown"  # stands for a key of no known shape
RETIRED_AFTER_DAYS_MIN = 2  # before a session may be ended: a process begins another one after a day
UNKNOWN_SESSION = ""  # stands for what is no session

_UNKNOWN_KEY = re.compile(rf"{UNKNOWN}:[0-9a-f]{{32}}")
_HEXADECIMAL = re.compile("[0-9a-f]+")  # lower case only: two different sessions must not give the same event id
_UUID_DIGITS = 32
_START_DIGITS = 12  # of a session id: milliseconds since 1970
_OWNER_DIGITS = 20  # after it, of a session that belongs to a principal: nobody finds another one with the same 80 bits
_RANDOM_DIGITS = SESSION_DIGITS - _START_DIGITS - _OWNER_DIGITS  # the rest: one principal starts many in a millisecond
_SESSIONS_KEPT_MAX = 1024
DAY_MS = 86_400_000


def collection_key(collection: str) -> str:
    return f"{COLLECTION}:{collection}"


def run_key(run: str) -> str:
    return f"{RUN}:{run}"


def project_key(project: str) -> str:
    """The key of project events. `project` is `entity/project`."""
    return f"{PROJECT}:{project}"


def entity_key(entity: str) -> str:
    """The key of events of a whole entity."""
    return f"{ENTITY}:{entity}"


def scope_key(scope: str) -> str:
    """The key of events about access to a scope: an entity, or `entity/project`."""
    return project_key(scope) if "/" in scope else entity_key(scope)


def project_of_key(key: str) -> str | None:
    """The "entity/project" whose content an event of this key can name; None where it can name none."""
    kind, _, name = key.partition(":")
    return "/".join(name.split("/")[:2]) if kind in (COLLECTION, PROJECT, BROADCAST) and name else None


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
    raise InvalidName(
        f"{shown} is not the key of a record. Use one of collection:…, run:…, project:…, entity:… or broadcast:…."
    )


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
    return _check_hexadecimal(session, SESSION_DIGITS, "a session id", "Begin a new session.")


def broadcast_key(project: str = "") -> str:
    """The key of events that are written to every partition, about a project or the whole store.

    A key of their own: within each partition a writer's events of one key are numbered without a gap.
    """
    return f"{BROADCAST}:{project}"


def check_broadcast(broadcast: object) -> str:
    """Return `broadcast` if it can identify an event of all partitions; raise InvalidInput if not."""
    return _check_hexadecimal(broadcast, _UUID_DIGITS, "the id of a broadcast", "Make another one.")


def _check_hexadecimal(value: object, digits: int, kind: str, advice: str) -> str:
    if isinstance(value, str) and len(value) == digits and _HEXADECIMAL.fullmatch(value):
        return value
    shown = quoted(value, 100) if isinstance(value, str) else type(value).__name__
    raise InvalidInput(f"{shown} is not {kind}: {digits} hexadecimal digits, lower case. {advice}")


def _check_reach(project: str) -> None:
    if project:
        check_project(project)


def new_session(start_ms: int | None = None, *, owner: str | None = None) -> str:
    """A new session id: its start (milliseconds since 1970, UTC) in 12 hexadecimal digits, then 36 random ones.

    It starts now, unless given by another clock. Of those who write through a server, the first 20 of the random ones
    are a hash of the principal `owner` instead, so that every server knows whose it is.
    """
    start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms
    whose = os.urandom(_OWNER_DIGITS // 2).hex() if owner is None else _owner_digits(owner)
    return f"{max(0, start_ms):0{_START_DIGITS}x}{whose}{os.urandom(_RANDOM_DIGITS // 2).hex()}"


def repeatable_session(day_ms: int, *, owner: str, seed: bytes) -> str:
    """As `new_session` of an owner, always the same one for a `seed`, at some time of the day that began at `day_ms`.

    Two seeds of one owner and day give the same session once in 2**90 pairs.
    """
    digest = blake3(b"headwater/session-seed/1\x00" + seed).digest(length=8 + _RANDOM_DIGITS // 2)
    start_ms = day_ms + int.from_bytes(digest[:8], "big") % DAY_MS
    return f"{start_ms:0{_START_DIGITS}x}{_owner_digits(owner)}{digest[8:].hex()}"


def is_session_of(session: str, owner: str) -> bool:
    """Whether this principal may write in `session`, which is valid."""
    return session[_START_DIGITS : _START_DIGITS + _OWNER_DIGITS] == _owner_digits(owner)


@lru_cache(_SESSIONS_KEPT_MAX)
def _owner_digits(owner: str) -> str:
    hashed = blake3(b"headwater/session-owner/1\x00" + owner.encode("utf-8", "surrogatepass"))
    return hashed.hexdigest(length=_OWNER_DIGITS // 2)


def session_start_ms(session: str) -> int:
    """When a session started by its writer's clock, in milliseconds since 1970, UTC. Raises: InvalidInput."""
    return int(check_session(session)[:_START_DIGITS], 16)


def first_session(start_ms: int) -> str:
    """The lowest id of a session that started at `start_ms`; ids sort by start."""
    return f"{max(0, start_ms):0{_START_DIGITS}x}".ljust(SESSION_DIGITS, "0")


def event_id(session: str, key: str, sequence: int) -> str:
    """UUIDv5 of (session, key, sequence): sending an event again gives the same id.

    The first 32 digits of the session are the namespace; the name is its other digits, `key` and the decimal sequence,
    each on a line. Raises: InvalidInput when `session` is not a session id.
    """
    named = _namespace(session) + f"{key}\n{sequence}".encode()
    import hashlib  # deferred: OpenSSL, which who only reads does not need

    digest = hashlib.sha1(named, usedforsecurity=False).hexdigest()
    # By hand: `uuid.uuid5` takes six times as long, and every event has an id, which is made twice.
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


@lru_cache(_SESSIONS_KEPT_MAX)
def _namespace(session: str) -> bytes:
    """A session as the namespace of its events, with the beginning of their names. Raises: InvalidInput."""
    check_session(session)
    return bytes.fromhex(session[:_UUID_DIGITS]) + f"{session[_UUID_DIGITS:]}\n".encode()


def _check_entity(entity: str) -> None:
    check_name(entity, "entity")


_NAME_CHECKS = {
    COLLECTION: CollectionName.parse,
    RUN: RunName.parse,
    PROJECT: check_project,
    ENTITY: _check_entity,
    BROADCAST: _check_reach,
}
