"""`headwater alias`, `headwater tag` and `headwater describe`: edit the attributes of a version."""

from datetime import timedelta
from typing import Any

import click
from headwater_schemas.errors import InvalidInput

from headwater._artifact.artifact import Artifact, stored_version
from headwater._content.attributes import UNSET
from headwater.cli.completion import complete_alias
from headwater.cli.options import json_option, namespace_options, version_argument
from headwater.cli.output import print_json
from headwater.cli.parsing import expected_version_option, json_object, key_and_json, ttl_option
from headwater.cli.resolve import version_named


@click.command("alias", short_help="Move aliases to a version, or remove them.")
@version_argument
@click.argument("aliases", metavar="ALIAS...", nargs=-1, required=True, shell_complete=complete_alias)
@expected_version_option("--expect", "Move the aliases only if they are on this version, or on none.")
@click.option("--remove", is_flag=True, help="Remove the aliases from the version.")
@namespace_options
@json_option
def alias_command(
    name: str,
    aliases: tuple[str, ...],
    expect: str | None,
    remove: bool,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Move aliases to a version, or remove them from it."""
    if remove and expect is not UNSET:
        raise click.UsageError("--remove and --expect exclude each other: --remove already names the version.")
    aliases = tuple(dict.fromkeys(aliases))
    artifact = version_named(name, entity, project)
    before = {alias: _version_with(alias, artifact) for alias in aliases}
    if expect is not UNSET:
        for alias in aliases:
            artifact.aliases.move(alias, expect=expect)
    else:
        _edit(artifact.aliases, aliases, remove=remove)
        artifact.save()
    now = dict.fromkeys(aliases, None if remove else artifact.version)
    if as_json:
        moved = [{"alias": alias, "from": before[alias], "to": now[alias]} for alias in aliases]
        print_json({"artifact": artifact.qualified_name, "aliases": list(artifact.aliases), "moved": moved})
        return
    for alias in aliases:
        was = f" (was {before[alias]})" if before[alias] not in (None, now[alias]) and not remove else ""
        click.echo(f"{alias}: {f'removed from {artifact.qualified_name}' if remove else artifact.qualified_name}{was}")


@click.command("tag", short_help="Add tags to a version, or remove them.")
@version_argument
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Remove the tags from the version.")
@namespace_options
@json_option
def tag_command(
    name: str, tags: tuple[str, ...], remove: bool, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Add tags to a version, or remove them from it."""
    artifact = version_named(name, entity, project)
    _edit(artifact.tags, tags, remove=remove)
    artifact.save()
    if as_json:
        print_json({"artifact": artifact.qualified_name, "tags": list(artifact.tags)})
    else:
        click.echo(f"{artifact.qualified_name}: {', '.join(artifact.tags) or 'no tags'}")


@click.command("describe", short_help="Edit description, metadata and time to live.")
@version_argument
@click.option("-d", "--description", help="Description; '' removes it.")
@click.option("-m", "--metadata", "metadata_text", metavar="JSON", help="Replace all metadata with this JSON object.")
@click.option("--set", "put", multiple=True, metavar="KEY=JSON", help="Set one metadata key; repeatable.")
@click.option("--unset", multiple=True, metavar="KEY", help="Remove a metadata key; repeatable.")
@ttl_option
@namespace_options
@json_option
def describe_command(
    name: str,
    description: str | None,
    metadata_text: str | None,
    put: tuple[str, ...],
    unset: tuple[str, ...],
    ttl: timedelta | None,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Edit the description, metadata and time to live of a version. Anything not given is left unchanged."""
    if description is None and metadata_text is None and ttl is None and not put and not unset:
        raise click.UsageError("nothing to change. Give -d, -m, --set, --unset or --ttl.")
    keys = dict(map(key_and_json, put))
    whole = None if metadata_text is None else json_object(metadata_text, "--metadata")
    artifact = version_named(name, entity, project)
    if description is not None:
        artifact.description = description or None
    if whole is not None:
        artifact.metadata = whole
    _change_keys(artifact, keys, unset)
    if ttl is not None:
        artifact.ttl = ttl or None
    artifact.save()
    _report(artifact, as_json=as_json)


def _change_keys(artifact: Artifact, put: dict[str, Any], unset: tuple[str, ...]) -> None:
    for key in unset:
        if key not in artifact.metadata:
            there = ", ".join(artifact.metadata) or "none"
            raise InvalidInput(f"{artifact.qualified_name} has no metadata key {key!r} to unset; its keys: {there}.")
        del artifact.metadata[key]
    artifact.metadata.update(put)


def _report(artifact: Artifact, *, as_json: bool) -> None:
    if not as_json:
        click.echo(artifact.qualified_name)
        return
    print_json(
        {
            "artifact": artifact.qualified_name,
            "description": artifact.description,
            "metadata": artifact.metadata,
            "ttl_seconds": None if artifact.ttl is None else int(artifact.ttl.total_seconds()),
        }
    )


def _edit(names: list[str], given: tuple[str, ...], *, remove: bool) -> None:
    """Raises before anything is sent if one of them is invalid."""
    for name in given:
        if remove:
            names.remove(name)
        else:
            names.append(name)


def _version_with(alias: str, artifact: Artifact) -> str | None:
    """The version of the same artifact that currently has an alias."""

    stored = stored_version(artifact)
    version = stored.reads.resolve_version(stored.info.collection, alias)
    return None if version is None else f"v{version}"
