"""The cookie of who signed in: what was proved, and until when, under a MAC with a key of all servers.

It holds the whole id of a token, which is its hash, or the principal of a JWT, and never a token or JWT. Rights are not
in it: they are looked up for each request, so that whoever revokes a token ends what was begun with it. Of a JWT it has
the roles that its claims gave, of which those count that its issuer still gives.
"""

import base64
import hmac
import json
import time
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from headwater_schemas.problems import UNAUTHENTICATED
from headwater_stores.server_key import ServerKey

from headwater_server.access.authentication import Proof, TokenProof
from headwater_server.access.jwts import Vouched
from headwater_server.http.problems import Problem

SESSION = "__Host-headwater"
SIGNED_IN_S_MAX = 7 * 24 * 3600
VALUE_LENGTH_MAX = 3800  # characters; browsers keep 4,096 with the name and what else is said
_PURPOSE = "page-session/1"
_BETWEEN = "."


class SessionCookies:
    """Makes them and reads them."""

    def __init__(self, key: ServerKey, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since 1970."""
        self._key = key.derived(_PURPOSE)
        self._clock = clock

    def made(self, proof: Proof) -> tuple[str, int]:
        """The cookie of who proved this, and how many seconds it counts. Raises: Problem where it would be too long."""
        now_s = int(self._clock())
        expires_s = now_s + SIGNED_IN_S_MAX
        if isinstance(proof, Vouched):
            expires_s = min(expires_s, proof.expires_s)
        text = _encoded(json.dumps([expires_s, *_fields(proof)], separators=(",", ":")).encode())
        value = f"{text}{_BETWEEN}{self._mac(text)}"
        if len(value) > VALUE_LENGTH_MAX:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "too-large",
                "the claims of the JWT give more roles than a cookie can hold.",
                "Sign in with a token.",
            )
        return value, expires_s - now_s

    def proof(self, value: str) -> Proof:
        """What was proved by who has this cookie. Raises: Problem for a forged, altered or expired one."""
        text, _, mac = value.partition(_BETWEEN)
        if not hmac.compare_digest(mac.encode(), self._mac(text).encode()):
            raise ended("the cookie is not one of this server's")
        expires_s, kind, *said = json.loads(_decoded(text))
        if expires_s <= self._clock():
            raise ended("you signed in too long ago")
        if kind == _TOKEN:
            return TokenProof(*said)
        principal, roles = said
        return Vouched(principal, tuple((scope, role) for scope, role in roles), expires_s, checked_s=self._clock())

    def _mac(self, text: str) -> str:
        return _encoded(hmac.digest(self._key, text.encode(), sha256))


def ended(why: str) -> Problem:
    """The answer to who is not signed in, or not any more."""
    return Problem(HTTPStatus.UNAUTHORIZED, UNAUTHENTICATED, f"{why}.", "Sign in.")


_TOKEN, _JWT = "token", "jwt"  # kinds of proofs


def _fields(proof: Proof) -> tuple[Any, ...]:
    if isinstance(proof, TokenProof):
        return _TOKEN, proof.hash
    return _JWT, proof.principal, proof.roles


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
