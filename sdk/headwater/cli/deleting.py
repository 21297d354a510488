"""`headwater rm` and `headwater prune`: versions go. What they held is freed once nothing else names it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from headwater._artifact.artifact import stored_version
from headwater._progress import bytes_text
from headwater.cli.common import counted, json_option, opened, print_json, version_named, where_options
from headwater.cli.completing import complete_artifact, complete_version

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact
    from headwater._artifact.deletion import DeletePreview

SHOWN = 10  # of what depends on a version; --json has all


@click.command("rm")
@click.argument("names", metavar="NAME:VERSION...", nargs=-1, required=True, shell_complete=complete_version)
@click.option("--dry-run", is_flag=True, help="Delete nothing, and say what would be.")
@click.option("--delete-aliases", is_flag=True, help="Also delete versions with aliases, and these with them.")
@where_options
@json_option
def rm_command(
    names: tuple[str, ...], dry_run: bool, delete_aliases: bool, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Delete versions. Their numbers are never given again.

    Says what becomes free, and which runs and versions depend on them. When one name is wrong, nothing is deleted.
    """
    for name in names:
        if ":" not in name:
            raise click.UsageError(f"{name!r} names no version. Write {name}:v3, or use `headwater prune {name}`.")
    artifacts = {
        artifact.qualified_name: artifact for artifact in [version_named(name, entity, project) for name in names]
    }
    if not (dry_run or delete_aliases):
        _check_aliases(artifacts.values())
    previews = [artifact.delete_preview() for artifact in artifacts.values()]
    freed = _bytes_freed(list(artifacts.values()), previews)
    if not dry_run:
        for artifact in artifacts.values():
            artifact.delete(delete_aliases=delete_aliases)
            if not as_json:
                click.echo(f"deleted {artifact.qualified_name}")
    if as_json:
        print_json(_as_json(previews, freed, dry_run=dry_run))
    else:
        _print(previews, freed, dry_run=dry_run)


@click.command("prune", short_help="Delete all versions but the newest, aliased and used.")
@click.argument("name", shell_complete=complete_artifact)
@click.option("--keep", type=click.IntRange(min=1), required=True, help="How many of the newest stay.")
@click.option("--also-aliased", is_flag=True, help="Also delete those with aliases.")
@click.option("--also-used", is_flag=True, help="Also delete those that are used.")
@click.option("--dry-run", is_flag=True, help="Delete nothing, and say what would be.")
@where_options
@json_option
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
    """Delete all versions of an artifact but the newest, those with aliases and those that are used.

    A version is used by runs, and by other versions that refer to its entries.
    """
    from headwater._api.collections import find_collection
    from headwater.cli.common import collection_of

    client, settings = opened(entity, project)
    collection, selector = collection_of(name, settings)
    if selector is not None:
        raise click.UsageError(f"{name!r} names one version, which `headwater rm` deletes. Give the artifact's name.")
    pruned = find_collection(client, collection, None).prune(
        keep, keep_aliased=not also_aliased, keep_used=not also_used, dry_run=dry_run
    )
    if as_json:
        print_json(
            {
                "artifact": collection,
                "dry_run": dry_run,
                "deleted": list(pruned.deleted),
                "kept": pruned.kept,
                "bytes_freed": pruned.bytes_freed,
            }
        )
        return
    for version in pruned.deleted:
        click.echo(f"{'would delete' if dry_run else 'deleted'} {version}")
    click.echo(
        f"{counted(len(pruned.deleted), 'version')} {'would go' if dry_run else 'gone'}, {pruned.kept:,} kept; "
        f"{_freed(pruned.bytes_freed, dry_run=dry_run)}"
    )


def _check_aliases(artifacts: "Iterable[Artifact]") -> None:
    """Before anything is deleted: one that stays is no reason for another to go alone."""
    from headwater_schemas.errors import InvalidInput

    held = [f"{one.qualified_name} holds the aliases {', '.join(one.aliases)}" for one in artifacts if one.aliases]
    if held:
        raise InvalidInput(f"{'; '.join(held)}. Move them first, or give --delete-aliases. Nothing was deleted.")


def _bytes_freed(artifacts: "list[Artifact]", previews: "list[DeletePreview]") -> int:
    """What only versions that go together hold becomes free too."""
    from headwater_consumer import queries

    if len(artifacts) == 1:
        return previews[0].bytes_freed
    versions: dict[str, list[int]] = defaultdict(list)
    for artifact in artifacts:
        info = stored_version(artifact).info
        versions[info.collection].append(info.version)
    database = stored_version(artifacts[0]).database
    return sum(queries.reclaimable_bytes(database, collection, gone) for collection, gone in versions.items())


def _as_json(previews: "list[DeletePreview]", freed: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "versions": [version for preview in previews for version in preview.versions],
        "aliases": [alias for preview in previews for alias in preview.aliases],
        "bytes_freed": freed,
        "used_by": _all(previews, "used_by"),
        "led_to": _all(previews, "led_to"),
        "referred_by": _all(previews, "referred_by"),
    }


def _print(previews: "list[DeletePreview]", freed: int, *, dry_run: bool) -> None:
    for preview in previews if dry_run else ():
        aliases = f", with the aliases {', '.join(preview.aliases)}" if preview.aliases else ""
        click.echo(f"would delete {', '.join(preview.versions)}{aliases}")
    for name, what in (("used_by", "used by"), ("led_to", "led to"), ("referred_by", "referred to by")):
        dependents = _all(previews, name)
        more = f" and {len(dependents) - SHOWN:,} more" if len(dependents) > SHOWN else ""
        if dependents:
            click.echo(f"{what} {', '.join(dependents[:SHOWN])}{more}")
    click.echo(_freed(freed, dry_run=dry_run))


def _all(previews: "list[DeletePreview]", name: str) -> list[str]:
    return list(dict.fromkeys(one for preview in previews for one in getattr(preview, name)))


def _freed(size: int, *, dry_run: bool) -> str:
    return f"{bytes_text(size)} {'would become' if dry_run else 'become'} free"
