"""Making a token: what is written for it, and its text, which is shown once. For the SDK as for a server."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from headwater_schemas import access
from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import AccessGranted, Event, TokenCreated
from headwater_schemas.limits import EXPIRES_MS_MAX

if TYPE_CHECKING:
    from headwater_consumer.queries.reads import Reads


@dataclass(frozen=True)
class NewToken:
    """A token that counts once its events are written."""

    text: str = field(repr=False)  # the secret
    created: TokenCreated
    role: str | None  # that its principal then has in exactly this scope; None: it has others within it
    events: tuple[Event, ...]

    @property
    def id(self) -> str:
        """By which people name it."""
        return access.token_id(self.created.token)


def new_token(
    reads: "Reads", name: str, scope: str, *, role: str | None = None, expires: timedelta | None = None
) -> NewToken:
    """A token for `name` in a scope, with the role there that it shall have, unless it has it already.

    Raises: InvalidInput, also where `name` has another role in this scope, or none within it and `role` is not given.
    """
    principal = access.principal_of(access.OWN_ISSUER, name)
    has = reads.role_granted(access.check_scope(scope), principal)
    events: list[Event] = []
    if role is not None:
        _check_same_role(principal, scope, has, access.check_role(role))
        events.append(AccessGranted(scope=scope, principal=principal, role=role))
    elif not reads.has_role_within(scope, principal):
        raise InvalidInput(
            f"{principal} has no role in {scope}, so a token would give nothing. "
            f"Say which it shall have: one of {', '.join(access.ROLES)}."
        )
    text = access.new_token()
    created = TokenCreated(
        scope=scope, token=access.token_hash(text), principal=principal, expires_ms=_expires_ms(expires)
    )
    return NewToken(text, created, role or has, (*events, created))


def _check_same_role(principal: str, scope: str, has: str | None, wanted: str) -> None:
    """A token that somebody makes must not change what the principal's other tokens may do."""
    if has not in (None, wanted):
        raise InvalidInput(
            f"{principal} is {has} of {scope}, and a token gives that. Leave the role out, use another name, or change "
            "it for all its tokens with `headwater access grant`."
        )


def _expires_ms(after: timedelta | None) -> int | None:
    if after is None:
        return None
    expires_ms = time.time_ns() // 1_000_000 + after // timedelta(milliseconds=1)
    if not after > timedelta(0) or expires_ms > EXPIRES_MS_MAX:
        raise InvalidInput(f"a token cannot expire after {after}. Give a time between now and the year 9999.")
    return expires_ms
