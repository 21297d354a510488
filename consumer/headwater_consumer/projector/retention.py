"""Retention policies of a project: each is a fact of its own, with who set it and why."""

from collections.abc import Mapping
from typing import Any

from headwater_schemas import metadata

from headwater_consumer.projector.event_context import EventContext
from headwater_consumer.projector.facts import change_fact
from headwater_consumer.projector.state import Put, State
from headwater_consumer.rows import RETENTION_POLICY, ProjectFactRow

MESSAGE_KEPT_MAX = 1000  # characters, of why a policy was set


def policies_changed(
    context: EventContext, project: str, policies: Mapping[str, Mapping[str, Any] | None], state: State
) -> list[Put]:
    """These policies hold from here on, each as a whole; those that are None no more. What is set already stays."""
    partition = context.position.partition
    changes: list[Put] = []
    for name, rules in sorted(policies.items()):
        known = state.get(ProjectFactRow, partition, project, RETENTION_POLICY, name)
        before = None if known is None else metadata.decode(known.value)["rules"]
        if before != rules:
            kind = (partition, project, RETENTION_POLICY, name)
            fact = ProjectFactRow(*kind, _said(context, rules), context.effective_position, None)
            changes += change_fact(state, context, fact)
    return changes


def _said(context: EventContext, rules: Mapping[str, Any] | None) -> str:
    """That a policy was removed is a fact, too: somebody said so."""
    message = context.origin.message
    said = {
        "rules": rules,
        "author": context.origin.author,
        "message": None if message is None else message[:MESSAGE_KEPT_MAX],
        "time_us": context.time_us,
    }
    return metadata.encode(said, "policy")
