"""What happens to a version after its seal: aliases, uses, descriptions, deletion. Its content never changes."""

from headwater_schemas import metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)
from headwater_schemas.names import LATEST, TAGS_MAX, RunName, check_alias

from headwater_consumer.projector.facts import end_fact, point_alias, put_tag, say, unsay
from headwater_consumer.projector.moment import Moment, Refused, announce
from headwater_consumer.rows import (
    DELETED,
    DESCRIPTION,
    METADATA,
    RECALLED,
    TTL,
    Alias,
    Tag,
    Use,
    Version,
    VersionDigest,
    VersionFact,
)
from headwater_consumer.state import Change, Put, State


def alias_moved(moment: Moment, event: AliasMoved, state: State) -> list[Change]:
    """An alias points to another version or to none, if it still is where it was expected."""
    check_alias(event.alias)
    held = state.get(Alias, event.collection, event.alias)
    at_present = None if held is None else held.version
    if event.expected is not None and event.expected.version != at_present:
        raise Refused(
            Reason.ALIAS_MOVED,
            f"alias {event.alias!r} of {event.collection} is {_where(at_present)}, "
            f"not {_where(event.expected.version)}. Look again and decide anew.",
        )
    told = announce(moment, 0, event.name, event.collection, {"alias": event.alias, "version": event.version})
    if event.version is None:
        return [*end_fact(state, moment, Alias, event.collection, event.alias), told]
    _live_version(event.collection, event.version, state)
    return [*point_alias(state, moment, event.collection, event.alias, event.version), told]


def used(moment: Moment, event: ArtifactUsed, state: State) -> list[Change]:
    """A run consumed a version. The edge names both by their own names and waits for neither."""
    RunName.parse(event.run)
    _live_version(event.collection, event.version, state)
    if state.get(Use, event.collection, event.version, event.run, event.requested) is not None:
        return []
    return [Put(Use(event.collection, event.version, event.run, event.requested, moment.at))]


def described(moment: Moment, event: VersionDescribed, state: State) -> list[Change]:
    """Only the fields that the event carries change."""
    name, version = event.collection, event.version
    _live_version(name, version, state)
    _check_tags(event)
    changes: list[Change] = []
    if event.description is not None:
        changes += _set_or_clear(moment, event, DESCRIPTION, event.description, state)
    if (text := _new_metadata(event, state)) is not None:
        changes += say(state, moment, name, version, METADATA, text)
    if event.ttl_seconds is not None:
        changes += _set_or_clear(moment, event, TTL, str(event.ttl_seconds) if event.ttl_seconds > 0 else "", state)
    for tag in dict.fromkeys(event.tags_removed):
        changes += end_fact(state, moment, Tag, name, version, tag)
    for tag in dict.fromkeys(event.tags_added):
        if tag not in event.tags_removed:
            changes += put_tag(state, moment, name, version, tag)
    return [*changes, announce(moment, 0, event.name, name, {"version": version})]


def deleted(moment: Moment, event: VersionDeleted, state: State) -> list[Change]:
    """A version is gone, with its aliases where that was asked for. `latest` goes to the newest one left."""
    name, number = event.collection, event.version
    version = _live_version(name, number, state)
    aliases = state.open_aliases(name, number)
    if aliases and not event.delete_aliases:
        held = ", ".join(alias.alias for alias in aliases)
        raise Refused(
            Reason.ALIAS_HELD,
            f"{name}:v{number} holds the aliases {held}. Move them first, or ask to delete them too.",
        )
    changes: list[Change] = [*say(state, moment, name, number, DELETED, "")]
    for alias in aliases:
        changes += _alias_after_deletion(moment, alias, state)
    other = state.lowest_live_version_with(name, version.digest, other_than=number)
    told = announce(moment, 0, event.name, name, {"version": number})
    return [*changes, Put(VersionDigest(name, version.digest, other)), told]


def restored(moment: Moment, event: VersionRestored, state: State) -> list[Change]:
    """A deleted version is back, without the aliases that it had; `latest` is given again where nothing has it."""
    name, number = event.collection, event.version
    version = _known_version(name, number, state)
    if state.get(VersionFact, name, number, DELETED) is None:
        return []
    lowest = state.lowest_live_version_with(name, version.digest, other_than=number)
    first = number if lowest is None else min(lowest, number)
    told = announce(moment, 0, event.name, name, {"version": number})
    changes: list[Change] = [*unsay(state, moment, name, number, DELETED)]
    if state.get(Alias, name, LATEST) is None:
        others = state.newest_live_version(name, other_than=number)
        changes += point_alias(state, moment, name, LATEST, number if others is None else max(number, others))
    return [*changes, Put(VersionDigest(name, version.digest, first)), told]


def recalled(moment: Moment, event: VersionRecalled, state: State) -> list[Change]:
    """A version is marked bad; it stays readable."""
    _known_version(event.collection, event.version, state)
    said = say(state, moment, event.collection, event.version, RECALLED, event.reason)
    told = announce(moment, 0, event.name, event.collection, {"version": event.version, "reason": event.reason})
    return [*said, told]


def _known_version(collection: str, number: int, state: State) -> Version:
    version = state.get(Version, collection, number)
    if version is None:
        raise Refused(Reason.VERSION_UNKNOWN, f"{collection}:v{number} does not exist.")
    return version


def _live_version(collection: str, number: int, state: State) -> Version:
    version = _known_version(collection, number, state)
    if state.get(VersionFact, collection, number, DELETED) is not None:
        raise Refused(Reason.VERSION_DELETED, f"{collection}:v{number} was deleted. Restore it first.")
    return version


def _where(version: int | None) -> str:
    return "on no version" if version is None else f"on v{version}"


def _check_tags(event: VersionDescribed) -> None:
    if len(event.tags_added) + len(event.tags_removed) > TAGS_MAX:
        raise Refused(Reason.INVALID, f"more than {TAGS_MAX} tags in one event.")
    for tag in event.tags_added:
        check_alias(tag, "tag")


def _new_metadata(event: VersionDescribed, state: State) -> str | None:
    if event.metadata is None and event.metadata_patch is None:
        return None
    before = state.get(VersionFact, event.collection, event.version, METADATA)
    text = event.metadata if event.metadata is not None else before.value if before is not None else "{}"
    value = metadata.decode(text)
    if event.metadata_patch is not None:
        value = metadata.merge(value, metadata.decode(event.metadata_patch))
    return metadata.encode(value)


def _set_or_clear(moment: Moment, event: VersionDescribed, field: str, value: str, state: State) -> list[Put]:
    if value:
        return say(state, moment, event.collection, event.version, field, value)
    return unsay(state, moment, event.collection, event.version, field)


def _alias_after_deletion(moment: Moment, alias: Alias, state: State) -> list[Put]:
    if alias.alias == LATEST:
        newest = state.newest_live_version(alias.collection, other_than=alias.version)
        if newest is not None:
            return point_alias(state, moment, alias.collection, LATEST, newest)
    return end_fact(state, moment, Alias, alias.collection, alias.alias)
