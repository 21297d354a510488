"""JWTs of the issuers that a server trusts, in place of tokens."""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jwt
from headwater_schemas.access import issuer_of, principal_of
from headwater_schemas.errors import InvalidName

from headwater_server.access.issuers import Issuer
from headwater_server.access.key_sets import KeySet, UnknownKey

LEEWAY_S = 30.0  # between clocks
KEPT_S = 60.0  # so long a signature that was checked counts, so that a key that was withdrawn does not
KEPT_MAX = 10_000  # JWTs that were checked; those that nobody sent go first
EXPIRES_S_MAX = 2**53  # what any clock can be compared with
LENGTH_MAX = 8192  # characters
KEY_ID_LENGTH_MAX = 256
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REQUIRED = ["exp", "iss", "aud"]


class NotValid(Exception):
    """A JWT that counts for nothing. The message is for who sent it, and tells nothing that is not in it."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """What an issuer says of who sent a JWT."""

    principal: str
    roles: tuple[tuple[str, str], ...]  # (scope, role) by its claims
    expires_s: int  # since 1970
    checked_s: float

    def counts(self, now_s: float) -> bool:
        """Whether it does so still, without checking the signature again."""
        return now_s < self.expires_s + LEEWAY_S and 0 <= now_s - self.checked_s <= KEPT_S


def looks_like_one(text: str) -> bool:
    """Whether this can be a JWT."""
    return len(text) <= LENGTH_MAX and _JWT.fullmatch(text) is not None


class Jwts:
    """Checks JWTs. For one event loop."""

    def __init__(self, issuers: Sequence[Issuer], clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since 1970."""
        self._issuers = {issuer.issuer: (issuer, KeySet(issuer.jwks)) for issuer in issuers}
        self._clock = clock
        self._checked: OrderedDict[bytes, Vouched] = OrderedDict()  # by the hash of the JWT

    def __bool__(self) -> bool:
        """Whether any issuer is trusted."""
        return bool(self._issuers)

    async def check(self, text: str) -> Vouched:
        """Who sent this. Raises: NotValid; Problem while the keys of its issuer cannot be read."""
        hash_ = hashlib.sha256(text.encode()).digest()
        known = self._checked.get(hash_)
        if known is not None and known.counts(self._clock()):
            self._checked.move_to_end(hash_)
            return known
        vouched = await self._vouched(text)
        self._checked[hash_] = vouched
        if len(self._checked) > KEPT_MAX:
            self._checked.popitem(last=False)
        return vouched

    def still(self, vouched: Vouched) -> Vouched:
        """What was vouched for once, without the JWT: as far as it counts now. Raises: NotValid."""
        name = issuer_of(vouched.principal)
        issuer = next((one for one, _ in self._issuers.values() if one.name == name), None)
        if issuer is None:
            raise NotValid(f"the issuer {name} is not trusted here")
        if self._clock() >= vouched.expires_s:
            raise NotValid("the JWT has expired")
        given = {(role.scope, role.role) for role in issuer.roles}
        return replace(vouched, roles=tuple(role for role in vouched.roles if role in given))

    async def _vouched(self, text: str) -> Vouched:
        header, claimed = _unverified(text)
        issuer, keys = self._issuers.get(str(claimed.get("iss")), (None, None))
        if issuer is None or keys is None:
            raise NotValid("no issuer of this name is trusted here")
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in issuer.algorithms or "crit" in header:
            raise NotValid("its algorithm is not one that is taken")
        if key_id is not None and (not isinstance(key_id, str) or len(key_id) > KEY_ID_LENGTH_MAX):
            raise NotValid("its key is not known")
        try:
            key = await keys.key(key_id, algorithm)
        except UnknownKey:
            raise NotValid("its key is not known") from None
        claims = _verified(text, key, algorithm, issuer)
        return self._of(issuer, claims)

    def _of(self, issuer: Issuer, claims: dict[str, Any]) -> Vouched:
        subject = claims.get(issuer.subject_claim)
        try:
            principal = principal_of(issuer.name, subject if isinstance(subject, str) else "")
        except InvalidName:
            raise NotValid(f"its {issuer.subject_claim} names nobody") from None
        roles = tuple((role.scope, role.role) for role in issuer.roles if role.is_due_to(claims))
        return Vouched(principal, roles, min(int(claims["exp"]), EXPIRES_S_MAX), self._clock())


def _unverified(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, of which nothing is believed: they say which key must have signed them."""
    try:
        claims = jwt.decode(text, options={"verify_signature": False})
        return jwt.get_unverified_header(text), claims
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise NotValid("it is damaged") from None


def _verified(text: str, key: Any, algorithm: str, issuer: Issuer) -> dict[str, Any]:
    try:
        return jwt.decode(
            text,
            key,
            algorithms=[algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=LEEWAY_S,
            options={"require": _REQUIRED},
        )
    except jwt.InvalidSignatureError:
        raise NotValid("its signature is not of its issuer") from None
    except jwt.ExpiredSignatureError:
        raise NotValid("it has expired") from None
    except jwt.InvalidAudienceError:
        raise NotValid("it is for another audience") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise NotValid("its claims are not those that are needed") from None
