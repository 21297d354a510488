"""`headwater show`: all that is recorded about a version."""

import json
from typing import TYPE_CHECKING, Any

import click
from headwater_consumer import queries

from headwater._artifact.artifact import stored_version
from headwater._progress import bytes_text
from headwater.cli.common import (
    iso,
    json_option,
    json_text,
    print_facts,
    print_json,
    time_text,
    version_argument,
    version_named,
    where_options,
)

if TYPE_CHECKING:
    from headwater_consumer.database import Database
    from headwater_consumer.queries import VersionInfo

REFERENCES_COUNTED_MAX = 50_000  # entries that are looked through for them; `show` is to answer at once
CONTESTED_SHOWN = 100
DAY_S = 86_400


@click.command("show", short_help="Show what is recorded about a version.")
@version_argument
@where_options
@json_option
def show_command(name: str, entity: str | None, project: str | None, as_json: bool) -> None:
    """Show what is recorded about a version: NAME, NAME:ALIAS or NAME:v3."""
    stored = stored_version(version_named(name, entity, project))
    info = stored.info
    facts = {**version_json(info), **_more(stored.database, info)}
    if as_json:
        print_json(facts)
    else:
        print_facts(_for_people(facts, info))


def version_json(info: "VersionInfo") -> dict[str, Any]:
    """A version, for programs."""
    return {
        "artifact": f"{info.collection}:v{info.version}",
        "type": info.type,
        "digest": info.digest,
        "files": info.entry_count,
        "size_bytes": info.size_bytes,
        "aliases": list(info.aliases),
        "tags": list(info.tags),
        "description": info.description,
        "metadata": json.loads(info.metadata),
        "logged_by": info.run,
        "created": iso(info.created_us),
        "updated": iso(info.updated_us),
        "state": "deleted" if info.deleted else "committed",
        "ttl_seconds": info.ttl_seconds,
        "recalled": info.recalled,
    }


def _more(database: "Database", info: "VersionInfo") -> dict[str, Any]:
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
    """How many entries are references; None where looking would take long."""
    if info.entry_count > REFERENCES_COUNTED_MAX:
        return None
    return sum(entry.uri is not None for page in queries.all_entries(database, info.layers) for entry in page)


def _for_people(facts: dict[str, Any], info: "VersionInfo") -> list[tuple[str, str]]:
    plain = {name: _text(value) for name, value in facts.items() if name != "ttl_seconds"}
    plain |= {
        "files": f"{info.entry_count:,}",
        "size_bytes": bytes_text(info.size_bytes),
        "metadata": json_text(facts["metadata"]) if facts["metadata"] else "",
        "created": time_text(info.created_us),
        "updated": time_text(info.updated_us),
        "references": str(facts["references"] or ""),
        "contested": str(info.contested_count or ""),
        "to_be_kept": "" if info.ttl_seconds is None else f"{info.ttl_seconds / DAY_S:g} days",
    }
    return [(name.removesuffix("_bytes").replace("_", " "), value) for name, value in plain.items()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
