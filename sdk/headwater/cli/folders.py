"""`headwater get` and `headwater verify`: a version and a folder of this machine."""

import click

from headwater._artifact.artifact import stored_version
from headwater.cli.common import json_option, print_json, version_argument, version_named, where_options
from headwater.errors import Differences

EXIT_DIFFERENT = 1


@click.command("get", short_help="Download a version.")
@version_argument
@click.argument("root", required=False, type=click.Path(file_okay=False))
@click.option("--path", "prefix", help="Only this folder, or this entry.")
@click.option("--checkout", is_flag=True, help="Also remove from ROOT what the version does not have.")
@click.option("--hard-links", is_flag=True, help="Large files as links to the store's own, to be read only.")
@where_options
@json_option
def get_command(
    name: str,
    root: str | None,
    prefix: str | None,
    checkout: bool,
    hard_links: bool,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Download a version into ROOT, ./artifacts/NAME:vN unless given. NAME may be name, name:alias or name:v3.

    Files that are there already and have the recorded content are not fetched again.
    """
    if checkout and prefix is not None:
        raise click.UsageError("--checkout is about a whole version: leave --path out.")
    if checkout and hard_links:
        raise click.UsageError("--checkout makes copies: leave --hard-links out.")
    artifact = version_named(name, entity, project)
    if checkout:
        folder = artifact.checkout(stored_version(artifact).folder(root))
    else:
        folder = artifact.download(root, prefix, hard_links=hard_links)
    if as_json:
        print_json({"artifact": artifact.qualified_name, "root": folder, "files": artifact.file_count, "path": prefix})
    else:
        click.echo(folder)


@click.command("verify", short_help="Compare a folder with a version.")
@version_argument
@click.argument("root", required=False, type=click.Path(file_okay=False))
@where_options
@json_option
def verify_command(name: str, root: str | None, entity: str | None, project: str | None, as_json: bool) -> None:
    """Compare ROOT, where `get` puts a version unless given, with the version, and list every difference.

    Exit code 1 when they differ.
    """
    artifact = version_named(name, entity, project)
    folder = str(stored_version(artifact).folder(root))
    differences: dict[str, list[str]] = {"missing": [], "changed": [], "extra": []}
    try:
        artifact.verify(root)
    except Differences as error:
        differences = {kind: getattr(error, kind) for kind in differences}
    same = not any(differences.values())
    if as_json:
        print_json({"artifact": artifact.qualified_name, "root": folder, "same": same, **differences})
    else:
        lines = [f"{kind:<8} {path}" for kind, paths in differences.items() for path in paths]
        click.echo("\n".join(lines) or f"{folder} holds {artifact.qualified_name} and nothing else.")
    if not same:
        raise SystemExit(EXIT_DIFFERENT)
