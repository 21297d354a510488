"""`headwater show`: show a version."""

import time
from typing import TYPE_CHECKING, Any

import click
from headwater_stores.telling.progress import format_bytes

from headwater._artifact.artifact import stored_version
from headwater.cli.options import json_option, namespace_options, version_argument
from headwater.cli.output import iso, json_text, print_fields, print_json, time_text
from headwater.cli.resolve import version_named
from headwater.cli.version_json import version_json

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo
    from headwater_consumer.queries.reads import Reads
    from headwater_consumer.retention.status import RetentionStatus

REFERENCES_SCANNED_MAX = 50_000  # entries that are read to count references; keeps `show` fast
CONTESTED_SHOWN = 100
DAY_S = 86_400
_FOR_PROGRAMS = ("ttl_seconds", "expires_by", "due")  # people read what they say in other words


@click.command("show", short_help="Show a version.")
@version_argument
@namespace_options
@json_option
def show_command(name: str, entity: str | None, project: str | None, as_json: bool) -> None:
    """Show everything recorded about a version, given as NAME, NAME:ALIAS or NAME:v3."""
    from headwater_consumer.retention.planning import retention_status_of  # deferred: database

    stored = stored_version(version_named(name, entity, project))
    info = stored.info
    status = retention_status_of(stored.reads, info, now_us=time.time_ns() // 1000)
    fields = {**version_json(info), **_details(stored.reads, info), **_retention(status)}
    if as_json:
        print_json(fields)
    else:
        print_fields(_for_people(fields, info, status))


def _details(reads: "Reads", info: "VersionInfo") -> dict[str, Any]:

    contested = reads.contested_paths(info.collection, info.version, limit=CONTESTED_SHOWN)
    return {
        "base": None if info.base is None else f"v{info.base}",
        "references": _references(reads, info),
        "contested_count": info.contested_count,
        "contested_paths": contested,
        "author": info.author,
        "message": info.message,
        "used_by": reads.used_by(info.collection, info.version),
    }


def _retention(status: "RetentionStatus") -> dict[str, Any]:
    is_held = status.held is not None
    return {
        "expires": None if status.expires_us is None or is_held else iso(status.expires_us),
        "expires_by": None if is_held else status.expires_by,
        "due": status.due,
        "kept": [status.held] if status.held is not None else list(status.kept),
    }


def _expiry(status: "RetentionStatus") -> str:
    if status.expires_us is None or status.held is not None:
        return ""
    if status.due is not None:
        return f"with the next `headwater maintain`: {status.due}"
    return f"{iso(status.expires_us)[:10]} {status.expires_by}"


def _references(reads: "Reads", info: "VersionInfo") -> int | None:
    """The number of references; None if counting them would take long."""

    if info.entry_count > REFERENCES_SCANNED_MAX:
        return None
    return sum(entry.uri is not None for page in reads.all_entries(info.layers) for entry in page)


def _for_people(fields: dict[str, Any], info: "VersionInfo", status: "RetentionStatus") -> list[tuple[str, str]]:
    plain = {name: _text(value) for name, value in fields.items() if name not in _FOR_PROGRAMS}
    plain |= {
        "files": f"{info.entry_count:,}",
        "size_bytes": format_bytes(info.size_bytes),
        "metadata": json_text(fields["metadata"]) if fields["metadata"] else "",
        "created": time_text(info.created_us),
        "updated": time_text(info.updated_us),
        "imported": "; ".join(
            f"{one.version} of store {one.store}, by {one.author} at {time_text(one.time_us)}" for one in info.imported
        ),
        "references": str(fields["references"] or ""),
        "contested_count": str(info.contested_count or ""),
        "expires": _expiry(status),
        "time_to_live": "" if info.ttl_seconds is None else f"{info.ttl_seconds / DAY_S:g} days",
    }
    return [(name.removesuffix("_bytes").replace("_", " "), value) for name, value in plain.items()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
