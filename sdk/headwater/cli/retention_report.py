"""What retention did, or would do, for people and for programs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from headwater_stores.telling.progress import counted, format_bytes

if TYPE_CHECKING:
    from headwater_consumer.retention.planning import CollectionPlan

    from headwater._retention.carrying_out import Outcome

LINES_MAX = 50  # of each kind about one collection; --json has all
SIZE_LATER = "can be reclaimed by a later `headwater gc`"


def plan_lines(plan: "CollectionPlan") -> Iterator[str]:
    """What would be done."""
    name = plan.collection
    yield from _shown([f"would delete {name}:v{one.version}: {one.rule}" for one in plan.deletions])
    yield from _held_lines(plan)
    if plan.due:
        size = format_bytes(plan.size_bytes)
        yield f"would delete {plan.due:,} of {counted(plan.live, 'version')} of {name}; {size} {SIZE_LATER}"
    if waiting := plan.due - len(plan.deletions):
        yield f"{waiting:,} of them wait for the next run"
    if plan.needs_asking:
        yield f"so much of {name} is deleted only with `headwater maintain --yes`, or once you confirm it in a terminal"


def outcome_lines(outcome: "Outcome") -> Iterator[str]:
    """What was done."""
    plan = outcome.plan
    name = plan.collection
    if outcome.is_left_alone:
        yield (
            f"left {name} alone: its policy would delete {plan.due_by_policy:,} of {counted(plan.live, 'version')}. "
            "Look with --dry-run, then run `headwater maintain --yes`"
        )
    yield from _shown([f"deleted {name}:v{one.version}: {one.rule}" for one in outcome.deleted])
    yield from _shown([f"kept: {why}" for _, why in outcome.refused])
    yield from _held_lines(plan)
    if outcome.deleted:
        size = format_bytes(plan.size_bytes)
        yield f"deleted {len(outcome.deleted):,} of {counted(plan.live, 'version')} of {name}; {size} {SIZE_LATER}"
    waiting = 0 if outcome.is_left_alone else plan.due - len(plan.deletions)
    if waiting:
        yield f"{waiting:,} more wait for the next run"


def outcomes_json(outcomes: Sequence["Outcome"]) -> dict[str, Any]:
    """For programs."""
    return {
        "versions_deleted": [
            {"version": f"{outcome.plan.collection}:v{one.version}", "rule": one.rule}
            for outcome in outcomes
            for one in outcome.deleted
        ],
        "versions_kept": [
            {"version": f"{outcome.plan.collection}:v{version}", "why": why}
            for outcome in outcomes
            for version, why in (*outcome.plan.held, *outcome.refused)
        ],
        "left_alone": [outcome.plan.collection for outcome in outcomes if outcome.is_left_alone],
        "bytes_freed": sum(outcome.plan.size_bytes for outcome in outcomes if outcome.deleted),
    }


def plans_json(plans: Sequence["CollectionPlan"]) -> list[dict[str, Any]]:
    """For programs."""
    return [
        {
            "artifact": plan.collection,
            "versions": plan.live,
            "due": plan.due,
            "would_delete": [
                {"version": f"{plan.collection}:v{one.version}", "rule": one.rule} for one in plan.deletions
            ],
            "would_keep": [{"version": f"{plan.collection}:v{version}", "why": why} for version, why in plan.held],
            "bytes_freed": plan.size_bytes,
            "asks_first": plan.needs_asking,
        }
        for plan in plans
    ]


def _held_lines(plan: "CollectionPlan") -> Iterator[str]:
    return _shown([f"kept {plan.collection}:v{version}: {why}" for version, why in plan.held])


def _shown(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:LINES_MAX]
    if len(lines) > LINES_MAX:
        yield f"and {len(lines) - LINES_MAX:,} more like that"
