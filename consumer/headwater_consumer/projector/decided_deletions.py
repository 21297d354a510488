"""Deletions that were decided on earlier, as maintenance does by a policy: what has come about since keeps a version.

Each part of the state is judged only as far as the decision relied on it, so that nothing else refuses it.
"""

from collections.abc import Iterator

from headwater_schemas.errors import Reason
from headwater_schemas.events import DecidedOn, VersionDeleted
from headwater_schemas.frozen_unicode import quoted

from headwater_consumer.projector.event_context import RuleViolation
from headwater_consumer.projector.state import State
from headwater_consumer.rows import RECALLED, TTL, VersionAttributeRow


def check_unchanged(event: VersionDeleted, decided_on: DecidedOn, state: State) -> None:
    """Raises: RuleViolation naming the first thing that keeps the version. Cost: `newer` index look-ups."""
    change = next(_changes(event.collection, event.version, decided_on, state), None)
    if change is not None:
        raise RuleViolation(
            Reason.STATE_CHANGED,
            f"{event.collection}:v{event.version} {change} since its deletion was decided on. Decide anew.",
        )


def _changes(name: str, number: int, decided_on: DecidedOn, state: State) -> Iterator[str]:
    """What keeps a version, each as the end of a sentence."""
    if state.get(VersionAttributeRow, name, number, RECALLED) is not None:
        yield "was recalled"
    for alias in state.open_aliases(name, number):
        if alias.alias not in decided_on.aliases:
            yield f"has got the alias {quoted(alias.alias)}"
    if decided_on.ttl_seconds is not None and _ttl_seconds(name, number, state) != decided_on.ttl_seconds:
        yield "has got another time to live"
    if state.times_restored(name, number) != decided_on.times_restored:
        yield "was restored"
    if decided_on.unused and state.is_used(name, number):
        yield "was used by a run"
    if decided_on.newer is not None and _newer(name, number, decided_on.newer, state) < decided_on.newer:
        yield "has become one of the newest"


def _ttl_seconds(name: str, number: int, state: State) -> int | None:
    row = state.get(VersionAttributeRow, name, number, TTL)
    return None if row is None else int(row.value)


def _newer(name: str, number: int, wanted: int, state: State) -> int:
    return state.newer_live_versions(name, number, at_most=max(0, wanted))
