"""Rows about access: who has which role where, which tokens are valid, and who subscribes to version events."""

from dataclasses import dataclass

from headwater_consumer.rows.base import ProjectionRow, row


@row(key=("scope", "principal"))
@dataclass(frozen=True, slots=True)
class GrantRow(ProjectionRow):
    """Fact: a principal has a role in a scope."""

    scope: str  # an entity, with all its projects, or "entity/project"
    principal: str  # "issuer|subject"
    entity: str  # of the scope
    role: str  # access.ROLES
    author: str  # who gave it
    message: str | None
    time_us: int
    from_position: int
    to_position: int | None


@row(key=("scope", "token"))
@dataclass(frozen=True, slots=True)
class TokenRow(ProjectionRow):
    """Fact: a token is valid, as far as it has not expired. No rule judges by time: who asks about it does."""

    scope: str  # within which it gives its principal's roles
    token: str  # SHA-256 of its text
    principal: str
    entity: str  # of the scope
    expires_ms: int | None  # milliseconds since 1970, UTC
    author: str  # who made it
    message: str | None
    time_us: int
    from_position: int
    to_position: int | None


@row(key=("scope", "subscription"))
@dataclass(frozen=True, slots=True)
class SubscriptionRow(ProjectionRow):
    """Fact: a webhook is told the version events of a scope."""

    scope: str
    subscription: str  # its id
    settings: str  # canonical JSON, see `webhooks.WebhookSettings`
    author: str  # who made it, or changed it last: it acts with the rights that this principal has
    message: str | None
    time_us: int
    from_position: int
    to_position: int | None
