"""Changes to the attributes of a version: only what was changed here is sent, and only where it still applies."""

from typing import Any

from headwater_consumer import queries
from headwater_schemas.errors import EventRejected, NotFound, Reason
from headwater_schemas.events import AliasMoved, Event, ExpectedVersion

from headwater._commit.client import Client
from headwater._content.attributes import VersionAttributes, expected_version


def save_changes(client: Client, info: queries.VersionInfo, attributes: VersionAttributes) -> queries.VersionInfo:
    """Send what was changed of a version's attributes, wait, and return what is recorded then.

    Raises: EventRejected, InvalidMetadata.
    """
    collection, version = info.collection, info.version
    events: list[Event] = [*attributes.events(collection, version, lambda: _current_info(client, info).metadata)]
    events += [AliasMoved(collection=collection, alias=alias, version=version) for alias in attributes.aliases_added]
    tasks = [client.send(events, affects_names=True)] if events else []
    for alias in _still_held(client, info, attributes.aliases_removed):
        expected = ExpectedVersion(version=version)
        removal = AliasMoved(collection=collection, alias=alias, version=None, expected=expected)
        tasks.append(client.send([removal], affects_names=True))
    for task in tasks:
        try:
            task.result()
        except EventRejected as rejected:
            if rejected.reason is not Reason.ALIAS_MOVED:  # another writer moved it meanwhile: it is off this version
                raise
    return _current_info(client, info)


def move_alias(client: Client, info: queries.VersionInfo, alias: str, expect: Any) -> None:
    """Move an alias to a version at once. Raises: EventRejected naming the version that has it, if not as expected."""
    moved = AliasMoved(
        collection=info.collection, alias=alias, version=info.version, expected=expected_version("expect", expect)
    )
    client.send([moved], affects_names=True).result()


def _current_info(client: Client, info: queries.VersionInfo) -> queries.VersionInfo:
    """What is recorded about a version by now."""
    client.catch_up_on(info.collection)
    now = client.stores.reads.version_info(info.collection, info.version)
    if now is None:
        raise NotFound(f"{info.collection}:v{info.version} is not in the projection. Run `headwater doctor`.")
    return now


def _still_held(client: Client, info: queries.VersionInfo, aliases: list[str]) -> list[str]:
    """Which of these aliases the version still has."""
    if not aliases:
        return []
    now = _current_info(client, info)
    return [alias for alias in aliases if alias in now.aliases]
