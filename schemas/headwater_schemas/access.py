"""Access: what may be granted, to whom, and the texts of tokens.

A *role* is granted to a *principal* in a *scope*: an entity, with all its projects, or one project. A token is made in
a scope, too, and never gives more than its principal's roles within that.
"""

import os
import re
import zlib

from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import check_name, check_principal_text, check_project

READER = "reader"
WRITER = "writer"  # appends only
MAINTAINER = "maintainer"  # also moves protected aliases, describes and deletes
ADMIN = "admin"  # also settings, grants, tokens and subscriptions; of an entity, also new projects
ROLES = (READER, WRITER, MAINTAINER, ADMIN)  # each includes those before it

OWN_ISSUER = "headwater"  # of principals that have tokens
ANYBODY = "open|anybody"  # the principal of everybody on a server that is open
_BETWEEN = "|"

TOKEN_PREFIX = "hw_"  # noqa: S105 - by which people and scanners recognise one
TOKEN_BYTES = 32  # of randomness
TOKEN_ID_DIGITS = 16  # the first of its hash: enough to tell a store's tokens apart
TOKEN_HASH_DIGITS = 64
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH, _CHECKSUM_LENGTH = 43, 6  # characters of base 62 that hold 256 and 32 bits
_TOKEN = re.compile(rf"{TOKEN_PREFIX}([0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})")
_TOKEN_HASH = re.compile(rf"[0-9a-f]{{{TOKEN_HASH_DIGITS}}}")
_TOKEN_ID = re.compile(rf"[0-9a-f]{{{TOKEN_ID_DIGITS}}}")


# --- roles and scopes ---------------------------------------------------------------------------------------------


def check_role(role: object) -> str:
    """Return `role` if it is one of ROLES; raise InvalidInput if not."""
    if isinstance(role, str) and role in ROLES:
        return role
    shown = quoted(role, 100) if isinstance(role, str) else type(role).__name__
    raise InvalidInput(f"{shown} is not a role. Use one of: {', '.join(ROLES)}.")


def includes(role: str | None, needed: str) -> bool:
    """Whether who has `role` may do what needs the role `needed`. None is no role."""
    return role is not None and ROLES.index(role) >= ROLES.index(needed)


def higher(one: str | None, other: str | None) -> str | None:
    """The role of the two that includes the other."""
    if one is None or other is None:
        return one or other
    return one if includes(one, other) else other


def check_scope(scope: object) -> str:
    """Return `scope` if it is an entity or `entity/project`; raise InvalidName if not."""
    if isinstance(scope, str) and "/" in scope:
        return check_project(scope)
    return check_name(scope, "entity")


def entity_of(scope: str) -> str:
    """The entity that a scope is, or is a project of."""
    return scope.partition("/")[0]


def covers(scope: str, project: str) -> bool:
    """Whether what holds in `scope` holds in "entity/project"."""
    return scope in (project, entity_of(project))


# --- principals ---------------------------------------------------------------------------------------------------


def check_principal(principal: object) -> str:
    """Return `principal` if it is `issuer|subject`; raise InvalidName if not. A subject may contain `|`, too."""
    text = check_principal_text(principal)
    issuer, bar, subject = text.partition(_BETWEEN)
    if not bar or not subject:
        raise InvalidName(
            f"principal {quoted(text)} is not of the form issuer|subject. Write {OWN_ISSUER}|NAME for who has a token."
        )
    check_name(issuer, "issuer")
    return text


def principal_of(issuer: str, subject: str) -> str:
    """The principal that an issuer knows as `subject`. Raises: InvalidName."""
    return check_principal(f"{check_name(issuer, 'issuer')}{_BETWEEN}{subject}")


def principal_named(name: str) -> str:
    """`ana` → "headwater|ana"; what has an issuer stays as it is. Raises: InvalidName."""
    return check_principal(name) if _BETWEEN in name else principal_of(OWN_ISSUER, name)


def is_principal(author: str) -> bool:
    """Whether a server set the author of an event: who has the store itself is `user@host` there."""
    return _BETWEEN in author


def issuer_of(principal: str) -> str:
    """Who says that somebody is this principal."""
    return principal.partition(_BETWEEN)[0]


# --- tokens -------------------------------------------------------------------------------------------------------


def new_token() -> str:
    """A token that nobody has: its prefix, TOKEN_BYTES of randomness, and a checksum by which errors are found."""
    return token_text(os.urandom(TOKEN_BYTES))


def token_text(secret: bytes) -> str:
    """The token with these TOKEN_BYTES."""
    random = _base_62(int.from_bytes(secret), _RANDOM_LENGTH)
    return f"{TOKEN_PREFIX}{random}{_checksum(random)}"


def is_token(text: str) -> bool:
    """Whether `text` can be a token: one that was cut or mistyped cannot. Says nothing about whether it is valid."""
    found = _TOKEN.fullmatch(text)
    return found is not None and _checksum(found[1]) == found[2]


def token_hash(token: str) -> str:
    """What is recorded of a token: SHA-256 of its text, in hexadecimal. Enough, since nobody can guess 256 bits."""
    import hashlib  # deferred: OpenSSL, which who only reads does not need

    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def check_token_hash(value: object) -> str:
    """Return `value` if it is a result of `token_hash`; raise InvalidInput if not."""
    if isinstance(value, str) and _TOKEN_HASH.fullmatch(value):
        return value
    raise InvalidInput(f"the hash of a token has {TOKEN_HASH_DIGITS} hexadecimal digits, lower case. Make another one.")


def token_id(hash_: str) -> str:
    """The id by which people name a token."""
    return hash_[:TOKEN_ID_DIGITS]


def check_token_id(value: object) -> str:
    """Return `value` if it is the id of a token; raise InvalidName if not."""
    if isinstance(value, str) and _TOKEN_ID.fullmatch(value):
        return value
    # Not what was given: it may be the token itself.
    raise InvalidName(
        f"the id of a token has {TOKEN_ID_DIGITS} hexadecimal digits, lower case. `headwater token list` shows them."
    )


def _checksum(random: str) -> str:
    return _base_62(zlib.crc32(random.encode()), _CHECKSUM_LENGTH)


def _base_62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
