"""Handlers of events about access. What they say is judged where it is used: who writes to the log is trusted."""

from headwater_schemas.access import OWN_ISSUER, entity_of, issuer_of
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    AccessGranted,
    AccessRevoked,
    SubscriptionAdded,
    SubscriptionRemoved,
    TokenCreated,
    TokenRevoked,
)
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import EXPIRES_MS_MAX
from headwater_schemas.webhooks import WebhookSettings

from headwater_consumer.projector.event_context import EventContext, RuleViolation
from headwater_consumer.projector.facts import change_fact, end_fact
from headwater_consumer.projector.state import Change, State
from headwater_consumer.rows import GrantRow, SubscriptionRow, TokenRow


def granted(context: EventContext, event: AccessGranted, state: State) -> list[Change]:
    """A principal has this role in this scope. Granting it again changes nothing: who gave it first is kept."""
    before = state.get(GrantRow, event.scope, event.principal)
    if before is not None and before.role == event.role:
        return []
    grant = GrantRow(
        scope=event.scope,
        principal=event.principal,
        entity=entity_of(event.scope),
        role=event.role,
        author=context.origin.author,
        message=context.origin.message,
        time_us=context.time_us,
        from_position=context.effective_position,
        to_position=None,
    )
    return [*change_fact(state, context, grant)]


def revoked(context: EventContext, event: AccessRevoked, state: State) -> list[Change]:
    """A principal has no role in this scope. Revoking it again changes nothing."""
    return [*end_fact(state, context, GrantRow, event.scope, event.principal)]


def token_created(context: EventContext, event: TokenCreated, state: State) -> list[Change]:
    """A token is valid. Creating it again changes nothing."""
    if issuer_of(event.principal) != OWN_ISSUER:
        raise RuleViolation(
            Reason.INVALID,
            f"a token cannot be for {quoted(event.principal)}, whom another issuer knows. "
            f"Make it for {OWN_ISSUER}|NAME.",
        )
    if event.expires_ms is not None and not 0 < event.expires_ms <= EXPIRES_MS_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"a token cannot expire {event.expires_ms} ms after 1970: at most {EXPIRES_MS_MAX:,}. Name another time.",
        )
    if state.get(TokenRow, event.scope, event.token) is not None:
        return []
    token = TokenRow(
        scope=event.scope,
        token=event.token,
        principal=event.principal,
        entity=entity_of(event.scope),
        expires_ms=event.expires_ms,
        author=context.origin.author,
        message=context.origin.message,
        time_us=context.time_us,
        from_position=context.effective_position,
        to_position=None,
    )
    return [*change_fact(state, context, token)]


def token_revoked(context: EventContext, event: TokenRevoked, state: State) -> list[Change]:
    """A token is valid no more. Revoking it again changes nothing."""
    return [*end_fact(state, context, TokenRow, event.scope, event.token)]


def subscription_added(context: EventContext, event: SubscriptionAdded, state: State) -> list[Change]:
    """A webhook has these settings. The same again by the same author changes nothing."""
    WebhookSettings.decode(event.settings)  # refuses what is invalid
    before = state.get(SubscriptionRow, event.scope, event.subscription)
    if before is not None and (before.settings, before.author) == (event.settings, context.origin.author):
        return []
    subscription = SubscriptionRow(
        scope=event.scope,
        subscription=event.subscription,
        settings=event.settings,
        author=context.origin.author,
        message=context.origin.message,
        time_us=context.time_us,
        from_position=context.effective_position,
        to_position=None,
    )
    return [*change_fact(state, context, subscription)]


def subscription_removed(context: EventContext, event: SubscriptionRemoved, state: State) -> list[Change]:
    """A webhook is told nothing any more. Removing it again changes nothing."""
    return [*end_fact(state, context, SubscriptionRow, event.scope, event.subscription)]
