"""Facts: rows with a from and a to position. The one place that opens and closes them."""

from collections.abc import Iterable
from typing import Any, TypeVar

from headwater_consumer.projector.event_context import EventContext
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.rows import (
    AliasRow,
    GrantRow,
    ProjectFactRow,
    RunCaptureRow,
    RunHeartbeatRow,
    RunRow,
    RunStateRow,
    RunValuesRow,
    SubscriptionRow,
    TagRow,
    TokenRow,
    VersionAttributeRow,
    VersionRow,
    VersionUpdateRow,
    changed,
)

_UPDATING = (AliasRow, TagRow, VersionAttributeRow)  # what counts as an update of a version

Fact = TypeVar(
    "Fact",
    AliasRow,
    TagRow,
    VersionAttributeRow,
    VersionUpdateRow,
    RunRow,
    RunStateRow,
    RunValuesRow,
    RunHeartbeatRow,
    RunCaptureRow,
    ProjectFactRow,
    GrantRow,
    TokenRow,
    SubscriptionRow,
)


def change_fact(state: State, context: EventContext, fact: Fact) -> list[Put]:
    """`fact` holds from here on: close the row that was open under its key, and open this one.

    Nothing changes where the open row is the same already.
    """
    before: Fact | None = state.get(type(fact), *type(fact).lookup(fact))
    if before is not None and changed(before, from_position=context.effective_position) == fact:
        return []
    return [*_close(before, context), Put(fact)]


def end_fact(state: State, context: EventContext, row_type: type[Any], *key: object) -> list[Put]:
    """Nothing holds under this key from here on."""
    return _close(state.get(row_type, *key), context)


def _close(row: Any, context: EventContext) -> list[Put]:
    return [] if row is None else [Put(changed(row, to_position=context.effective_position))]


def set_alias(state: State, context: EventContext, collection: str, alias: str, version: int) -> list[Put]:
    """Point `alias` to `version`."""
    return change_fact(state, context, AliasRow(collection, alias, version, context.effective_position, None))


def set_attribute(
    state: State, context: EventContext, collection: str, version: int, field: str, value: str
) -> list[Put]:
    """Set `field` of a version to `value`."""
    row = VersionAttributeRow(collection, version, field, value, context.effective_position, None)
    return change_fact(state, context, row)


def clear_attribute(state: State, context: EventContext, collection: str, version: int, field: str) -> list[Put]:
    """Set `field` of a version to its empty value."""
    return end_fact(state, context, VersionAttributeRow, collection, version, field)


def add_tag(state: State, context: EventContext, collection: str, version: int, tag: str) -> list[Put]:
    """Add `tag` to a version."""
    return change_fact(state, context, TagRow(collection, version, tag, context.effective_position, None))


def version_updates(state: State, context: EventContext, changes: Iterable[Change]) -> list[Put]:
    """Record the update of each version whose aliases, tags or attributes `changes` affect, unless it is new.

    An alias that moves also updates the version that it leaves.
    """
    rows = [change.row for change in changes if isinstance(change, Put)]
    affected = dict.fromkeys([(row.collection, row.version) for row in rows if isinstance(row, _UPDATING)])
    if not affected:
        return []
    new = {(row.collection, row.version) for row in rows if isinstance(row, VersionRow)}
    found: list[Put] = []
    for collection, version in affected:
        if (collection, version) not in new:
            update = VersionUpdateRow(collection, version, context.time_us, context.effective_position, None)
            found += change_fact(state, context, update)
    return found
