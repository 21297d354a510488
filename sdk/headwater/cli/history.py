"""`headwater history`: what happened to an artifact or a version."""

from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.names import parse_version

from headwater.cli.options import json_option, limit_option, namespace_options, version_argument
from headwater.cli.output import print_json, print_table, shown_time
from headwater.cli.resolve import open_reader, parse_name

if TYPE_CHECKING:
    from headwater_schemas.version_events import VersionEvent

_DETAILS = ("alias", "before", "run", "draft", "reason")


@click.command("history", short_help="Show what happened to an artifact or a version.")
@version_argument
@limit_option
@namespace_options
@json_option
def history_command(name: str, limit: int, entity: str | None, project: str | None, as_json: bool) -> None:
    """Show what happened to an artifact, or to one of its versions, newest first: commits, aliases, uses, deletions.

    Of a version the aliases that left it are part. `headwater events` has the same for a whole project.
    """
    from headwater._artifact.not_found import missing_artifact, missing_version  # deferred: database
    from headwater._artifact.resolve import find_version  # deferred: database

    reader, settings = open_reader(entity, project)
    collection, selector = parse_name(name, settings)
    version = None if selector is None else parse_version(selector)
    if selector is not None and version is None:  # an alias
        version = find_version(reader, name, settings.entity, settings.project).version
    found = reader.stores.reads.history_of(collection, version=version, limit=limit + 1)
    if not found:
        raise (
            missing_artifact(reader, collection)
            if version is None
            else missing_version(reader, collection, f"v{version}")
        )
    events = [event.told(EventCursor("")) for event in found[:limit]]
    if as_json:
        print_json([_as_json(event) for event in events])
    else:
        columns = ("time", "event", "version", "what", "author", "message")
        print_table(columns, list(map(_row, events)), fold=("what", "author", "message"))
    if len(found) > limit:
        click.echo("There is more; --limit shows it.", err=True)


def _as_json(event: "VersionEvent") -> dict[str, Any]:
    details = {name: getattr(event, name) for name in _DETAILS}
    return {
        "event": event.kind,
        "id": event.id,
        "time": event.time.isoformat(),
        "version": event.version,
        **details,
        "author": event.author,
        "message": event.message,
    }


def _row(event: "VersionEvent") -> tuple[str, ...]:
    return (
        shown_time(event.time),
        event.kind,
        event.version or "",
        _what(event),
        event.author,
        event.message or "",
    )


def _what(event: "VersionEvent") -> str:
    """The alias, run, draft or reason; of an alias where it was, too."""
    if event.alias is not None:
        return event.alias if event.before is None else f"{event.alias}, before on {event.before}"
    return next((value for name in _DETAILS if (value := getattr(event, name)) is not None), "")
