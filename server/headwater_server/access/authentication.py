"""Who sent a request: by a token of this store, or by a JWT of an issuer that the server trusts."""

import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from fastapi import Request
from headwater_consumer import queries
from headwater_consumer.queries import Grant, TokenAccess
from headwater_schemas.access import TOKEN_PREFIX, is_token, token_hash, token_id

from headwater_server.access import jwts
from headwater_server.access.addresses import Networks, client_of
from headwater_server.access.caller import Anybody, Caller
from headwater_server.access.guessing import Guessing
from headwater_server.access.issuers import Issuer
from headwater_server.access.jwts import Vouched
from headwater_server.access.last_uses import LastUses
from headwater_server.access.rights import Rights
from headwater_server.access.view import View
from headwater_server.http.problems import Problem
from headwater_server.service import Service

T = TypeVar("T")

_SCHEME = "bearer "
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="headwater"'}
_TOKENS_FROM = (
    "Set HEADWATER_TOKEN to one that an admin of the project made with `headwater token create`, or send it as "
    '"Authorization: Bearer TOKEN".'
)


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """Who proved who it is."""

    principal: str
    rights: Rights
    token: str | None  # the id of its token; None: it came with a JWT
    _renew: Callable[[], Awaitable["KnownCaller"]] = field(repr=False)

    def may(self, role: str, scope: str) -> bool:
        """See `Caller`."""
        return self.rights.may(role, scope)

    def may_begin(self, project: str) -> bool:
        """See `Caller`."""
        return self.rights.may_begin(project)

    def scopes(self, role: str) -> Sequence[str]:
        """See `Caller`."""
        return self.rights.scopes(role)

    async def renewed(self) -> "KnownCaller":
        """See `Caller`."""
        return await self._renew()


@dataclass(frozen=True, slots=True)
class TokenProof:
    """Who sent it has the token with this hash, which gives nobody the token."""

    hash: str


Proof = TokenProof | Vouched


class OpenAuthentication:
    """Of a server on which everybody may do everything."""

    async def caller(self, request: Request) -> Caller:  # noqa: ARG002 - all the same
        """See `caller.Authentication`."""
        return Anybody()


class TokenAuthentication:
    """Of all other servers."""

    def __init__(self, service: Service, issuers: Sequence[Issuer] = (), trusted_proxies: Networks = ()) -> None:
        self._service = service
        self._last_uses = LastUses(service)
        self._trusted = trusted_proxies
        self._jwts = jwts.Jwts(issuers)
        self._guessing = Guessing()
        self._tokens: View[TokenAccess] = View(self._ask_token)
        self._roles: View[tuple[Grant, ...]] = View(self._ask_roles)
        service.when_access_changes(self._tokens.forget)
        service.when_access_changes(self._roles.forget)
        service.metrics.gauge("refusals_waiting", "Refusals that are held back.", lambda: self._guessing.waiting)
        self._refusals = service.metrics.counter("refusals", "Requests without a valid token, or JWT.")

    async def caller(self, request: Request) -> Caller:
        """See `caller.Authentication`."""
        return await self.slowly_refused(request, self._of_request(request))

    async def slowly_refused(self, request: Request, finding: Awaitable[T]) -> T:
        """What `finding` finds; a refusal is counted, and held back where its address was refused often."""
        try:
            return await finding
        except Problem as problem:
            if problem.status is HTTPStatus.UNAUTHORIZED:
                self._refusals.inc()
                await self._guessing.refuse(client_of(request, self._trusted))
            raise

    async def known(self, credential: str) -> KnownCaller:
        """Who this token or JWT is of, with its rights as they are now. Raises: Problem."""
        return await self.proven(await self.proof(credential), lambda: self.known(credential))

    async def proof(self, credential: str) -> Proof:
        """What a token or JWT proves of who sends it: by that it is known later, too. Raises: Problem."""
        if credential.startswith(TOKEN_PREFIX):
            if not is_token(credential):
                raise refused("the token is not whole: it was cut or mistyped.", "Copy all of it.")
            return TokenProof(token_hash(credential))
        if self._jwts and jwts.looks_like_one(credential):
            try:
                return await self._jwts.check(credential)
            except jwts.NotValid as error:
                raise refused(f"the JWT is not valid: {error}.", "Ask its issuer for another one.") from None
        raise refused("this is not a token that the server takes: its own begin with `hw_`.", _TOKENS_FROM)

    async def proven(self, proof: Proof, renew: Callable[[], Awaitable[KnownCaller]]) -> KnownCaller:
        """Who proved this, with its rights as they are now. `renew` finds them again. Raises: Problem."""
        if isinstance(proof, TokenProof):
            return await self._of_token(proof.hash, renew)
        granted = await self._roles.get(proof.principal) or ()
        rights = Rights.of([*proof.roles, *((grant.scope, grant.role) for grant in granted)])
        return KnownCaller(proof.principal, rights, None, renew)

    def still_vouched(self, proof: Vouched) -> Vouched:
        """The same as far as it counts now: its issuer is trusted still, and gives these roles. Raises: Problem."""
        try:
            return self._jwts.still(proof)
        except jwts.NotValid as error:
            raise refused(f"you are not signed in any more: {error}.", "Sign in again.") from None

    async def _of_request(self, request: Request) -> KnownCaller:
        return await self.known(_credential(request))

    async def _of_token(self, hash_: str, renew: Callable[[], Awaitable[KnownCaller]]) -> KnownCaller:
        access = await self._tokens.get(hash_)
        # Unknown, revoked and expired are one answer. By its hash nobody can come closer to a token step by step.
        if access is None or not hmac.compare_digest(access.token, hash_) or _has_expired(access):
            raise refused("the token is not valid: unknown, revoked or expired.", _TOKENS_FROM)
        rights = Rights.of([(grant.scope, grant.role) for grant in access.grants], within=access.scope)
        id_ = token_id(hash_)
        self._last_uses.note(id_)
        return KnownCaller(access.principal, rights, id_, renew)

    async def _ask_token(self, hash_: str) -> TokenAccess | None:
        return await self._service.query(queries.token_access, self._service.database, hash_)

    async def _ask_roles(self, principal: str) -> tuple[Grant, ...]:
        return await self._service.query(queries.roles_of, self._service.database, principal)


def refused(detail: str, next_step: str) -> Problem:
    """The answer to who did not prove who it is."""
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", detail, next_step, headers={**_CHALLENGE})


def _credential(request: Request) -> str:
    given = request.headers.getlist("authorization")
    if not given:
        raise refused("the request has no token.", _TOKENS_FROM)
    if len(given) > 1 or given[0][: len(_SCHEME)].lower() != _SCHEME:
        raise refused("the request has another Authorization than one token.", 'Send "Authorization: Bearer TOKEN".')
    return given[0][len(_SCHEME) :].strip()


def _has_expired(access: TokenAccess) -> bool:
    return access.expires_ms is not None and access.expires_ms <= time.time_ns() // 1_000_000
