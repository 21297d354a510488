"""The public keys of an issuer: a JWKS (RFC 7517), read from a URL or a file, and read again when that is due."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from headwater_server.http.problems import Problem, come_again

FRESH_S = 300.0  # then they are read again; those that are gone count no more
AGAIN_S = 10.0  # at least so long between two readings, whatever key ids anybody sends
STALE_S = 3600.0  # so long keys count while they cannot be read again
FETCH_S = 5.0
BYTES_MAX = 1024 * 1024
KEYS_MAX = 100

# Which keys make which signatures: RFC 7518, 3.1, and RFC 8037.
_KINDS: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}


class UnknownKey(Exception):
    """An issuer has no such key."""


@dataclass(frozen=True, slots=True)
class _Key:
    id: str | None
    kind: tuple[str, str | None]
    algorithm: str | None  # the only one it may be used with; None: any of its kind
    key: Any

    def fits(self, algorithm: str) -> bool:
        family, curve = _KINDS[algorithm]
        same_kind = self.kind[0] == family and curve in (None, self.kind[1])
        return same_kind and self.algorithm in (None, algorithm)


class KeySet:
    """The keys of one issuer. For one event loop."""

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`source` is a URL or the path of a file."""
        self._source, self._clock = source, clock
        self._keys: Sequence[_Key] = ()
        self._read_s: float | None = None  # when they were read last
        self._tried_s: float | None = None
        self._reading = asyncio.Lock()

    async def key(self, key_id: str | None, algorithm: str) -> Any:
        """The public key with this id, for this algorithm; without an id, the only one for it.

        Raises: UnknownKey; Problem while the keys cannot be read.
        """
        if self._age_s(self._read_s) > FRESH_S:
            await self._read_again()
        found = self._find(key_id, algorithm)
        if found is None:
            await self._read_again()
            found = self._find(key_id, algorithm)
        if self._age_s(self._read_s) > STALE_S:
            raise _away()
        if found is None:
            raise UnknownKey
        return found

    def _find(self, key_id: str | None, algorithm: str) -> Any:
        fitting = [key for key in self._keys if key.fits(algorithm) and key_id in (None, key.id)]
        return fitting[0].key if len(fitting) == 1 else None

    async def _read_again(self) -> None:
        """Unless that was tried a moment ago. What cannot be read leaves what is known."""
        async with self._reading:
            if self._age_s(self._tried_s) < AGAIN_S:
                return
            self._tried_s = self._clock()
            try:
                self._keys = await asyncio.to_thread(_keys_from, self._source)
            except (OSError, ValueError):
                return
            self._read_s = self._clock()

    def _age_s(self, moment_s: float | None) -> float:
        return float("inf") if moment_s is None else self._clock() - moment_s


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keys come from where the operator said, and from nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _keys_from(source: str) -> list[_Key]:
    """Raises: OSError, also for what a server refuses; ValueError for what is no JWKS."""
    content = _fetched(source) if "://" in source else Path(source).read_bytes()
    if len(content) > BYTES_MAX:
        raise ValueError("too large")
    jwks = json.loads(content)
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(listed, list):
        raise ValueError("no list of keys")
    return [key for jwk in listed[:KEYS_MAX] if (key := _parsed(jwk)) is not None]


def _fetched(url: str) -> bytes:
    opener = urllib.request.build_opener(_NoRedirects)
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - https, see `issuers`
    with opener.open(request, timeout=FETCH_S) as answer:
        content: bytes = answer.read(BYTES_MAX + 1)
        return content


def _parsed(jwk: Any) -> _Key | None:
    """None for what verifies no signature that is taken: other uses, secrets, keys that are damaged."""
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or jwk.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    algorithm = jwk.get("alg")
    if algorithm is not None and algorithm not in _KINDS:
        return None
    public = {name: value for name, value in jwk.items() if name != "d"}
    first = algorithm or next((name for name, kind in _KINDS.items() if _matches(kind, jwk)), None)
    if first is None:
        return None
    try:
        key = jwt.PyJWK(public, algorithm=first).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return _Key(jwk.get("kid"), (jwk["kty"], jwk.get("crv")), algorithm, key)


def _matches(kind: tuple[str, str | None], jwk: Mapping[str, Any]) -> bool:
    return kind[0] == jwk["kty"] and kind[1] in (None, jwk.get("crv"))


def _away() -> Problem:
    return come_again(
        "access-unknown",
        "the server cannot read the keys of this issuer now, so it cannot check the JWT.",
        "Ask again in a moment; the operator finds the issuer in the server's file of issuers.",
    )
