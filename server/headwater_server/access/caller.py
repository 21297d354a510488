"""Who sent a request. Handlers ask it first, and answer `not_found` for what it may not read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from headwater_schemas.access import ANYBODY


class Caller(Protocol):
    """A principal with its rights, as they were when the request came."""

    @property
    def principal(self) -> str:
        """`issuer|subject`: the author of what it writes, and the owner of its sessions."""
        ...

    def may(self, role: str, scope: str) -> bool:
        """Whether it has this role, or a higher one, in an entity or in "entity/project"."""
        ...

    def may_begin(self, project: str) -> bool:
        """Whether it may log the first thing in "entity/project"."""
        ...

    def scopes(self, role: str) -> Sequence[str] | None:
        """The entities and "entity/project"s in which it was given this role or a higher one; None: in all."""
        ...

    async def renewed(self) -> "Caller":
        """The same caller with its rights as they are now: for whatever lasts, such as a stream, before each piece.

        Raises: Problem when its token was revoked or has expired.
        """
        ...


@dataclass(frozen=True, slots=True)
class Anybody:
    """The caller of an open server, who may do everything."""

    principal: str = ANYBODY

    def may(self, role: str, scope: str) -> bool:  # noqa: ARG002 - all the same
        """Yes."""
        return True

    def may_begin(self, project: str) -> bool:  # noqa: ARG002 - all the same
        """Yes."""
        return True

    def scopes(self, role: str) -> None:
        """All."""

    async def renewed(self) -> "Anybody":
        """Itself."""
        return self


class Authentication(Protocol):
    """Finds out who sent a request."""

    async def caller(self, request: Request) -> Caller:
        """Raises: Problem where the request does not say it, or says what is not true."""
        ...


SCHEME = HTTPBearer(
    scheme_name="token", description="A token of the store, or a JWT of a trusted issuer.", auto_error=False
)


async def caller_of(request: Request) -> Caller:
    """Who sent this request. Every route of `/v1` asks; nothing there is for who is nobody."""
    authentication: Authentication = request.app.state.authentication
    return await authentication.caller(request)


CallerOf = Annotated[Caller, Depends(caller_of)]
