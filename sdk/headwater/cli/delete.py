"""`headwater rm`, `prune` and `restore`: delete versions, telling what can be reclaimed and what depends on them, and
bring them back.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.errors import InvalidInput
from headwater_schemas.names import CollectionName
from headwater_schemas.settings import RESTORE_DAYS
from headwater_stores.telling.progress import counted, format_bytes

from headwater._artifact.artifact import Artifact, stored_version
from headwater.cli.completion import complete_artifact, complete_version
from headwater.cli.full_disk import works_on_a_full_disk
from headwater.cli.options import json_option, namespace_options
from headwater.cli.output import print_json
from headwater.cli.resolve import open_store, parse_name, settings_for

if TYPE_CHECKING:
    from headwater._artifact.deletion import DeletePreview
    from headwater._commit.client import Client

DEPENDENTS_SHOWN = 10  # of each kind; --json prints all

dry_run_option = click.option("--dry-run", is_flag=True, help="Report what would be deleted, and delete nothing.")


@click.command("rm", short_help="Delete versions.")
@click.argument("names", metavar="NAME:VERSION...", nargs=-1, required=True, shell_complete=complete_version)
@dry_run_option
@click.option("--delete-aliases", is_flag=True, help="Also delete versions that have aliases, and their aliases.")
@namespace_options
@json_option
@works_on_a_full_disk
def rm_command(
    names: tuple[str, ...], dry_run: bool, delete_aliases: bool, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Delete versions. Their numbers are never reused.

    Reports how many bytes a later `headwater gc` can reclaim and from when on, and which runs and versions depend on
    them. If one name is wrong, nothing is deleted.
    """
    from headwater._artifact.lookup import find_artifact  # deferred: database

    for name in names:
        collection, selector = parse_name(name, settings_for(entity, project))
        if selector is None:
            raise click.UsageError(
                f"{name!r} has no version. Write {name}:v3, or use `headwater prune {collection} --keep 10`."
            )
    client, settings = open_store(entity, project)
    found = [find_artifact(client, name, settings.entity, settings.project) for name in names]
    artifacts = list({artifact.qualified_name: artifact for artifact in found}.values())
    if not (dry_run or delete_aliases):
        _check_aliases(artifacts)
    previews = [artifact.delete_preview() for artifact in artifacts]
    freed = _bytes_freed(client, artifacts, previews)
    free_from = _free_from(client, [stored_version(artifact).info.collection for artifact in artifacts])
    if not dry_run:
        for artifact in artifacts:
            artifact.delete(delete_aliases=delete_aliases)
            if not as_json:
                click.echo(f"deleted {artifact.qualified_name}")
    if as_json:
        print_json(_as_json(previews, freed, free_from, dry_run=dry_run))
    else:
        _print(previews, freed, free_from, dry_run=dry_run)


@click.command("prune", short_help="Delete all but the newest, aliased and used versions.")
@click.argument("name", shell_complete=complete_artifact)
@click.option("--keep", type=click.IntRange(min=1), required=True, help="Number of newest versions to keep.")
@click.option("--also-aliased", is_flag=True, help="Also delete versions that have aliases.")
@click.option("--also-used", is_flag=True, help="Also delete versions that are used.")
@dry_run_option
@namespace_options
@json_option
@works_on_a_full_disk
def prune_command(
    name: str,
    keep: int,
    also_aliased: bool,
    also_used: bool,
    dry_run: bool,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Delete the versions of an artifact, except the newest, those with aliases and those that are used.

    A version is used if a run used it or if another version refers to its entries.
    """
    from headwater._api.collections import find_collection  # deferred: database

    client, settings = open_store(entity, project)
    collection, selector = parse_name(name, settings)
    if selector is not None:
        raise click.UsageError(
            f"{name!r} names one version. Give the artifact's name, or use `headwater rm {collection}:{selector}`."
        )
    pruned = find_collection(client, collection, None).prune(
        keep, keep_aliased=not also_aliased, keep_used=not also_used, dry_run=dry_run
    )
    free_from = _free_from(client, [collection])
    if as_json:
        print_json(
            {
                "artifact": collection,
                "dry_run": dry_run,
                "deleted": list(pruned.deleted),
                "kept": pruned.kept,
                "bytes_freed": pruned.bytes_freed,
                "free_from": free_from.isoformat(),
            }
        )
        return
    for version in pruned.deleted:
        click.echo(f"{'would delete' if dry_run else 'deleted'} {version}")
    click.echo(
        f"{counted(len(pruned.deleted), 'version')} {'would be deleted' if dry_run else 'deleted'}, "
        f"{pruned.kept:,} kept; {_reclaimable(pruned.bytes_freed, free_from, dry_run=dry_run)}"
    )


@click.command("restore", short_help="Bring deleted versions back.")
@click.argument("names", metavar="NAME:VERSION...", nargs=-1, required=True, shell_complete=complete_artifact)
@namespace_options
@json_option
def restore_command(names: tuple[str, ...], entity: str | None, project: str | None, as_json: bool) -> None:
    """Bring deleted versions back, under their numbers, with their content, tags, description and lineage.

    The aliases that they had are not set again. A version that is not deleted stays as it is. If one name is wrong,
    nothing is restored.
    """
    from headwater._artifact.lookup import restorable_version, restored_artifact  # deferred: database

    client, settings = open_store(entity, project)
    for name in names:
        restorable_version(client, name, settings.entity, settings.project)
    restored = []
    for name in names:
        artifact = restored_artifact(client, name, settings.entity, settings.project)
        restored.append(artifact.qualified_name)
        if not as_json:
            click.echo(f"restored {artifact.qualified_name}")
    if as_json:
        print_json({"versions": restored})


def _check_aliases(artifacts: Iterable[Artifact]) -> None:
    """Check all versions before deleting any."""
    held = [f"{one.qualified_name} has the aliases {', '.join(one.aliases)}" for one in artifacts if one.aliases]
    if held:
        raise InvalidInput(f"{'; '.join(held)}. Move them first, or pass --delete-aliases. Nothing was deleted.")


def _bytes_freed(client: "Client", artifacts: list[Artifact], previews: "list[DeletePreview]") -> int:
    """Includes content that the versions share only with each other."""

    if len(artifacts) == 1:
        return previews[0].bytes_freed
    versions: dict[str, list[int]] = defaultdict(list)
    for artifact in artifacts:
        info = stored_version(artifact).info
        versions[info.collection].append(info.version)
    reads = client.stores.reads
    return sum(reads.reclaimable_bytes(collection, numbers) for collection, numbers in versions.items())


def _as_json(previews: "list[DeletePreview]", freed: int, free_from: date, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "versions": [version for preview in previews for version in preview.versions],
        "aliases": [alias for preview in previews for alias in preview.aliases],
        "bytes_freed": freed,
        "free_from": free_from.isoformat(),
        "used_by": _all(previews, "used_by"),
        "led_to": _all(previews, "led_to"),
        "referred_by": _all(previews, "referred_by"),
    }


def _print(previews: "list[DeletePreview]", freed: int, free_from: date, *, dry_run: bool) -> None:
    for preview in previews if dry_run else ():
        kind = "alias" if len(preview.aliases) == 1 else "aliases"
        aliases = f", with the {kind} {', '.join(preview.aliases)}" if preview.aliases else ""
        click.echo(f"would delete {', '.join(preview.versions)}{aliases}")
    for name, label in (("used_by", "used by"), ("led_to", "led to"), ("referred_by", "referenced by")):
        dependents = _all(previews, name)
        hidden = len(dependents) - DEPENDENTS_SHOWN
        more = f" and {hidden:,} more" if hidden > 0 else ""
        if dependents:
            click.echo(f"{label} {', '.join(dependents[:DEPENDENTS_SHOWN])}{more}")
    click.echo(_reclaimable(freed, free_from, dry_run=dry_run))


def _all(previews: "list[DeletePreview]", name: str) -> list[str]:
    return list(dict.fromkeys(one for preview in previews for one in getattr(preview, name)))


def _free_from(client: "Client", collections: Iterable[str]) -> date:
    """From when on `gc` frees what is deleted now: until then it can be restored."""
    projects = {CollectionName.parse(collection).namespace for collection in collections}
    settings = [client.stores.reads.project_settings(project) for project in projects]
    return datetime.now(UTC).date() + timedelta(days=max(one[RESTORE_DAYS] for one in settings))


def _reclaimable(size: int, free_from: date, *, dry_run: bool) -> str:
    later = f", from {free_from} on" if free_from > datetime.now(UTC).date() else ""
    return f"{format_bytes(size)} {'could then' if dry_run else 'can'} be reclaimed by a later `headwater gc`{later}"
