"""`headwater setup`: create what a store consists of, before the first process uses it."""

from contextlib import closing
from typing import TYPE_CHECKING

import click
from headwater_schemas.errors import InvalidSettings
from headwater_stores.config.settings import Settings, read_settings, redact
from headwater_stores.opening import open_stores

if TYPE_CHECKING:
    from headwater_consumer.operational.database import OperationalDatabase


@click.command("setup", short_help="Create a store: topics, tables and bucket, or a folder.")
@click.option("--url", help="The store: a folder, or profile:NAME. Default: HEADWATER_URL.")
@click.option("--replace-key", is_flag=True, help="Have the servers' key be the one in the file from now on.")
def setup_command(url: str | None, replace_key: bool) -> None:
    """Create what is missing of a store: the topics, tables and bucket of a profile, or a folder; and the key of its
    servers, on a profile where HEADWATER_SERVER_KEY_FILE says. What is there stays.

    Writers, projectors, relays and servers create what they need, too, where they may; but the key of a profile is made
    by this command alone, or by hand.

    With another key, webhooks have other secrets, and uploads that were begun begin anew.
    """
    settings = read_settings(url=url)
    if settings.server is not None:
        raise InvalidSettings(
            f"{settings.url} is a server, and what is behind it is set up there. Name its folder or profile with --url."
        )
    for line in _created(settings, replaces_key=replace_key):
        click.echo(f"{redact(settings.url)}: {line}")


def _created(settings: Settings, *, replaces_key: bool) -> list[str]:
    """What there is afterwards, a line each."""
    from headwater_eventlog.kafka import EventTopic  # deferred: kafka
    from headwater_stores.operational import open_operational
    from headwater_stores.server_settings import events_topic

    with closing(open_stores(settings, create=True)) as stores:
        log = stores.log
        found = [f"log {log.generation} with {log.partitions} partitions"]
        with closing(open_operational(settings)) as operational:
            found += [f"operational tables in {operational.name}", _key(settings, operational, replaces=replaces_key)]
        if settings.profile is not None:
            with closing(EventTopic.open(events_topic(settings.profile, partitions=log.partitions))) as topic:
                found.append(f"version events in topic {topic.name}")
    return found


def _key(settings: Settings, operational: "OperationalDatabase", *, replaces: bool) -> str:
    """Raises: InvalidSettings where the servers of this store have another key."""
    from headwater_consumer.operational import server_keys  # deferred: kafka
    from headwater_stores.server_key import key_file_named, read_key

    from headwater_server.key_agreement import trouble_with_key

    path = key_file_named(settings)
    if path is None:
        return "no key for servers, as HEADWATER_SERVER_KEY_FILE is not set"
    if not (replaces or path.exists()) and (agreed := server_keys.key_agreed(operational)) is not None:
        raise InvalidSettings(
            f"the servers of this store have the key {agreed}, and there is no key file {str(path)!r}. Copy theirs "
            "there, or make another for all of them with --replace-key."
        )
    key = read_key(path, create=True)
    if replaces:
        server_keys.replace_key(operational, key.fingerprint)
    if (trouble := trouble_with_key(operational, key)) is not None:
        raise InvalidSettings(trouble)
    return f"key of its servers {key.fingerprint} in {path}"
