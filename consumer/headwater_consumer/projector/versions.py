"""Handlers of events about a sealed version: aliases, uses, attributes, deletion. Its content never changes."""

from headwater_schemas import metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    VersionDeleted,
    VersionDescribed,
    VersionPurged,
    VersionRecalled,
    VersionRestored,
)
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import TAGS_MAX
from headwater_schemas.names import LATEST
from headwater_schemas.positions import position_if_valid, position_of
from headwater_schemas.version_events import (
    ARTIFACT_USED,
    VERSION_DELETED,
    VERSION_DESCRIBED,
    VERSION_PURGED,
    VERSION_RECALLED,
    VERSION_RESTORED,
)

from headwater_consumer.projector.decided_deletions import check_unchanged
from headwater_consumer.projector.event_context import EventContext, RuleViolation
from headwater_consumer.projector.facts import add_tag, clear_attribute, end_fact, set_alias, set_attribute
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.projector.version_events import announce
from headwater_consumer.rows import (
    DELETED,
    DESCRIPTION,
    METADATA,
    PURGED,
    RECALLED,
    TTL,
    AliasRow,
    RunInputRow,
    TagRow,
    VersionAttributeRow,
    VersionDigestRow,
    VersionRow,
)

ALIASES_SHOWN_MAX = 20  # in a message


def alias_moved(context: EventContext, event: AliasMoved, state: State) -> list[Change]:
    """Point an alias to another version or to none, if it still points to the expected one."""
    held = state.get(AliasRow, event.collection, event.alias)
    at_present = None if held is None else held.version
    if event.expected is not None and event.expected.version != at_present:
        raise RuleViolation(
            Reason.ALIAS_MOVED,
            f"alias {quoted(event.alias)} of {event.collection} is {_where(at_present)}, "
            f"not {_where(event.expected.version)}. Read it again and retry.",
        )
    if event.version is None:
        return [*end_fact(state, context, AliasRow, event.collection, event.alias)]
    _live_version(event.collection, event.version, state)
    return [*set_alias(state, context, event.collection, event.alias, event.version)]


def used(context: EventContext, event: ArtifactUsed, state: State) -> list[Change]:
    """A run used a version. The edge refers to the run by name, which need not have started yet."""
    _live_version(event.collection, event.version, state)
    key = (event.collection, event.version, event.run, event.requested, event.use_as or "")
    if state.get(RunInputRow, *key) is not None:
        return []
    told = announce(context, ARTIFACT_USED, event.collection, version=event.version, detail=event.run)
    return [Put(RunInputRow(*key, context.effective_position)), told]


def described(context: EventContext, event: VersionDescribed, state: State) -> list[Change]:
    """Change only the fields that the event carries."""
    name, version = event.collection, event.version
    _live_version(name, version, state)
    _check_tags(event)
    changes: list[Change] = []
    if event.description is not None:
        changes += _set_or_clear(context, event, DESCRIPTION, event.description, state)
    if (text := _new_metadata(event, state)) is not None:
        changes += set_attribute(state, context, name, version, METADATA, text)
    if event.ttl_seconds is not None:
        changes += _set_or_clear(context, event, TTL, str(event.ttl_seconds) if event.ttl_seconds > 0 else "", state)
    for tag in dict.fromkeys(event.tags_removed):
        changes += end_fact(state, context, TagRow, name, version, tag)
    for tag in dict.fromkeys(event.tags_added):
        if tag not in event.tags_removed:
            changes += add_tag(state, context, name, version, tag)
    return [*changes, announce(context, VERSION_DESCRIBED, name, version=version)] if changes else []


def deleted(context: EventContext, event: VersionDeleted, state: State) -> list[Change]:
    """Delete a version, and its aliases if the event says so. `latest` moves to the newest live version.

    Not where the state changed on which that was decided.
    """
    name, number = event.collection, event.version
    version = _live_version(name, number, state)
    if event.decided_on is not None:
        check_unchanged(event, event.decided_on, state)
    aliases = state.open_aliases(name, number)
    if aliases and not event.delete_aliases:
        held = ", ".join(alias.alias for alias in aliases[:ALIASES_SHOWN_MAX])
        more = f" and {len(aliases) - ALIASES_SHOWN_MAX:,} more" if len(aliases) > ALIASES_SHOWN_MAX else ""
        raise RuleViolation(
            Reason.ALIAS_HELD,
            f"{name}:v{number} has the aliases {held}{more}. Move them first, or delete them too.",
        )
    changes: list[Change] = [*set_attribute(state, context, name, number, DELETED, "")]
    for alias in aliases:
        changes += _alias_after_deletion(context, alias, state)
    other = state.lowest_live_version_with(name, version.digest, other_than=number)
    told = announce(context, VERSION_DELETED, name, version=number)
    return [*changes, Put(VersionDigestRow(name, version.digest, other)), told]


def restored(context: EventContext, event: VersionRestored, state: State) -> list[Change]:
    """Restore a deleted version, without its former aliases; `latest` is set again if no version has it."""
    name, number = event.collection, event.version
    version = _known_version(name, number, state)
    if state.get(VersionAttributeRow, name, number, DELETED) is None:
        return []
    if state.get(VersionAttributeRow, name, number, PURGED) is not None:
        raise RuleViolation(
            Reason.VERSION_PURGED,
            f"{name}:v{number} cannot be restored: too late, it was purged and its content may be gone. Log it again.",
        )
    lowest = state.lowest_live_version_with(name, version.digest, other_than=number)
    first = number if lowest is None else min(lowest, number)
    changes: list[Change] = [*clear_attribute(state, context, name, number, DELETED)]
    if state.get(AliasRow, name, LATEST) is None:
        others = state.newest_live_version(name, other_than=number)
        changes += set_alias(state, context, name, LATEST, number if others is None else max(number, others))
    told = announce(context, VERSION_RESTORED, name, version=number)
    return [*changes, Put(VersionDigestRow(name, version.digest, first)), told]


def purged(context: EventContext, event: VersionPurged, state: State) -> list[Change]:
    """Give up a version that is still deleted by the deletion that the event names. A second time changes nothing."""
    name, number = event.collection, event.version
    _known_version(name, number, state)
    deletion = state.get(VersionAttributeRow, name, number, DELETED)
    if deletion is None or deletion.from_position != position_if_valid(event.epoch, event.partition, event.offset):
        found = "is not deleted" if deletion is None else f"is deleted by {position_of(deletion.from_position)}"
        raise RuleViolation(
            Reason.VERSION_NOT_DELETED,
            f"{name}:v{number} {found}, not by {event.epoch}/{event.partition}/{event.offset}, so it is not purged. "
            "Name the deletion that holds.",
        )
    attribute = set_attribute(state, context, name, number, PURGED, "")
    return [*attribute, announce(context, VERSION_PURGED, name, version=number)] if attribute else []


def recalled(context: EventContext, event: VersionRecalled, state: State) -> list[Change]:
    """Mark a version as bad; it stays readable."""
    _known_version(event.collection, event.version, state)
    attribute = set_attribute(state, context, event.collection, event.version, RECALLED, event.reason)
    told = announce(context, VERSION_RECALLED, event.collection, version=event.version, detail=event.reason)
    return [*attribute, told] if attribute else []


def _known_version(collection: str, number: int, state: State) -> VersionRow:
    version = state.get(VersionRow, collection, number)
    if version is None:
        raise RuleViolation(
            Reason.VERSION_UNKNOWN,
            f"{collection}:v{number} does not exist. List the versions of {collection} to find the right one.",
        )
    return version


def _live_version(collection: str, number: int, state: State) -> VersionRow:
    version = _known_version(collection, number, state)
    if state.get(VersionAttributeRow, collection, number, DELETED) is not None:
        raise RuleViolation(Reason.VERSION_DELETED, f"{collection}:v{number} was deleted. Restore it first.")
    return version


def _where(version: int | None) -> str:
    return "on no version" if version is None else f"on v{version}"


def _check_tags(event: VersionDescribed) -> None:
    changed = len(event.tags_added) + len(event.tags_removed)
    if changed > TAGS_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"an event changes {changed:,} tags of {event.collection}:v{event.version}; at most {TAGS_MAX} are "
            "allowed. Send them as several events.",
        )


def _new_metadata(event: VersionDescribed, state: State) -> str | None:
    if event.metadata is None and event.metadata_patch is None:
        return None
    before = state.get(VersionAttributeRow, event.collection, event.version, METADATA)
    text = event.metadata if event.metadata is not None else before.value if before is not None else "{}"
    value = metadata.decode(text)
    if event.metadata_patch is not None:
        value = metadata.merge(value, metadata.decode(event.metadata_patch))
    return metadata.encode(value)


def _set_or_clear(context: EventContext, event: VersionDescribed, field: str, value: str, state: State) -> list[Put]:
    if value:
        return set_attribute(state, context, event.collection, event.version, field, value)
    return clear_attribute(state, context, event.collection, event.version, field)


def _alias_after_deletion(context: EventContext, alias: AliasRow, state: State) -> list[Put]:
    if alias.alias == LATEST:
        newest = state.newest_live_version(alias.collection, other_than=alias.version)
        if newest is not None:
            return set_alias(state, context, alias.collection, LATEST, newest)
    return end_fact(state, context, AliasRow, alias.collection, alias.alias)
