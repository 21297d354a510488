"""`headwater alias`, `headwater tag` and `headwater describe`: what is said about a version, without a new one."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from headwater._artifact.artifact import stored_version
from headwater.cli.common import json_option, print_json, version_argument, version_named, where_options
from headwater.cli.completing import complete_alias
from headwater.cli.values import json_object, key_and_json, ttl_option

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact

NOWHERE = "none"  # as somebody writes that an alias is expected on no version


@click.command("alias")
@version_argument
@click.argument("aliases", metavar="ALIAS...", nargs=-1, required=True, shell_complete=complete_alias)
@click.option("--expect", metavar="VERSION|none", help="Move only what is at this version now, or nowhere.")
@click.option("--remove", is_flag=True, help="Take the aliases off the version instead.")
@where_options
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
    """Point aliases to a version, wherever they were before."""
    if remove and expect is not None:
        raise click.UsageError("--remove takes off what is at the version, so there is nothing more to --expect.")
    aliases = tuple(dict.fromkeys(aliases))
    artifact = version_named(name, entity, project)
    before = {alias: _holder(artifact, alias) for alias in aliases}
    if expect is not None:
        for alias in aliases:
            artifact.aliases.move(alias, expect=None if expect == NOWHERE else expect)
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
        click.echo(f"{alias}: {f'off {artifact.qualified_name}' if remove else artifact.qualified_name}{was}")


@click.command("tag")
@version_argument
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the tags off instead.")
@where_options
@json_option
def tag_command(
    name: str, tags: tuple[str, ...], remove: bool, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Put tags on a version."""
    artifact = version_named(name, entity, project)
    _edit(artifact.tags, tags, remove=remove)
    artifact.save()
    if as_json:
        print_json({"artifact": artifact.qualified_name, "tags": list(artifact.tags)})
    else:
        click.echo(f"{artifact.qualified_name}: {', '.join(artifact.tags) or 'no tags'}")


@click.command("describe", short_help="Change what is said about a version.")
@version_argument
@click.option("-d", "--description", help="What it is, for people; '' for none.")
@click.option("-m", "--metadata", "metadata_text", metavar="JSON", help="What it is, for programs, all of it anew.")
@click.option("--set", "put", multiple=True, metavar="KEY=JSON", help="Set one key of the metadata; repeat for more.")
@click.option("--unset", multiple=True, metavar="KEY", help="Remove a key of the metadata; repeat for more.")
@ttl_option
@where_options
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
    """Change what is said about a version: only what is given here, so others may change the rest meanwhile."""
    if description is None and metadata_text is None and ttl is None and not put and not unset:
        raise click.UsageError("nothing is given that could be said. Give -d, -m, --set, --unset or --ttl.")
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


def _change_keys(artifact: "Artifact", put: dict[str, Any], unset: tuple[str, ...]) -> None:
    from headwater_schemas.errors import InvalidInput

    for key in unset:
        if key not in artifact.metadata:
            there = ", ".join(artifact.metadata) or "none"
            raise InvalidInput(f"{artifact.qualified_name} has no metadata key {key!r} to unset; its keys: {there}.")
        del artifact.metadata[key]
    artifact.metadata.update(put)


def _report(artifact: "Artifact", *, as_json: bool) -> None:
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
    """Nothing is sent before all of them are known to be possible."""
    for name in given:
        if remove:
            names.remove(name)
        else:
            names.append(name)


def _holder(artifact: "Artifact", alias: str) -> str | None:
    """The version that an alias is at now."""
    from headwater_consumer import queries

    stored = stored_version(artifact)
    version = queries.resolve_version(stored.database, stored.info.collection, alias)
    return None if version is None else f"v{version}"
