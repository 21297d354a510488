"""`headwater show`: show a version."""

from typing import TYPE_CHECKING, Any

import click

from headwater._artifact.artifact import stored_version
from headwater._progress import format_bytes
from headwater.cli.options import json_option, namespace_options, version_argument
from headwater.cli.output import json_text, print_fields, print_json, time_text
from headwater.cli.resolve import version_named
from headwater.cli.version_json import version_json

if TYPE_CHECKING:
    from headwater_consumer.database import Database
    from headwater_consumer.queries import VersionInfo

REFERENCES_SCANNED_MAX = 50_000  # entries that are read to count references; keeps `show` fast
CONTESTED_SHOWN = 100
DAY_S = 86_400


@click.command("show", short_help="Show a version.")
@version_argument
@namespace_options
@json_option
def show_command(name: str, entity: str | None, project: str | None, as_json: bool) -> None:
    """Show everything recorded about a version, given as NAME, NAME:ALIAS or NAME:v3."""
    stored = stored_version(version_named(name, entity, project))
    info = stored.info
    fields = {**version_json(info), **_details(stored.database, info)}
    if as_json:
        print_json(fields)
    else:
        print_fields(_for_people(fields, info))


def _details(database: "Database", info: "VersionInfo") -> dict[str, Any]:
    from headwater_consumer import queries  # deferred: database

    contested = queries.contested_paths(database, info.collection, info.version, limit=CONTESTED_SHOWN)
    return {
        "base": None if info.base is None else f"v{info.base}",
        "references": _references(database, info),
        "contested_count": info.contested_count,
        "contested_paths": contested,
        "author": info.author,
        "message": info.message,
        "used_by": queries.used_by(database, info.collection, info.version),
    }


def _references(database: "Database", info: "VersionInfo") -> int | None:
    """The number of references; None if counting them would take long."""
    from headwater_consumer import queries  # deferred: database

    if info.entry_count > REFERENCES_SCANNED_MAX:
        return None
    return sum(entry.uri is not None for page in queries.all_entries(database, info.layers) for entry in page)


def _for_people(fields: dict[str, Any], info: "VersionInfo") -> list[tuple[str, str]]:
    plain = {name: _text(value) for name, value in fields.items() if name != "ttl_seconds"}
    plain |= {
        "files": f"{info.entry_count:,}",
        "size_bytes": format_bytes(info.size_bytes),
        "metadata": json_text(fields["metadata"]) if fields["metadata"] else "",
        "created": time_text(info.created_us),
        "updated": time_text(info.updated_us),
        "references": str(fields["references"] or ""),
        "contested_count": str(info.contested_count or ""),
        "time_to_live": "" if info.ttl_seconds is None else f"{info.ttl_seconds / DAY_S:g} days",
    }
    return [(name.removesuffix("_bytes").replace("_", " "), value) for name, value in plain.items()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
