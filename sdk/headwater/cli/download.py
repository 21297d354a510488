"""`headwater get` and `headwater verify`: download a version, and compare a folder with one."""

import click

from headwater._artifact.artifact import stored_version
from headwater.cli.options import json_option, namespace_options, version_argument
from headwater.cli.output import print_json
from headwater.cli.resolve import version_named
from headwater.errors import Differences

EXIT_DIFFERENT = 1

root_argument = click.argument("root", required=False, type=click.Path(file_okay=False))
ignore_option = click.option(
    "--ignore", multiple=True, metavar="PATTERN", help="Leave alone in ROOT what matches, as in .gitignore; repeatable."
)


@click.command("get", short_help="Download a version.")
@version_argument
@root_argument
@click.option("--path", "prefix", help="Download only this folder or entry of the version.")
@click.option("--checkout", is_flag=True, help="Also remove files from ROOT that the version does not have.")
@ignore_option
@click.option("--hard-links", is_flag=True, help="Make large files read-only hard links to the store.")
@namespace_options
@json_option
def get_command(
    name: str,
    root: str | None,
    prefix: str | None,
    checkout: bool,
    ignore: tuple[str, ...],
    hard_links: bool,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Download a version into the folder ROOT (default: ./artifacts/NAME:vN).

    Existing files that have the recorded content are not downloaded again.
    """
    if checkout and prefix is not None:
        raise click.UsageError("--checkout applies to a whole version: omit --path.")
    if ignore and not checkout:
        raise click.UsageError("--ignore requires --checkout: a download removes nothing.")
    if checkout and hard_links:
        raise click.UsageError("--checkout makes copies: omit --hard-links.")
    artifact = version_named(name, entity, project)
    if checkout:
        folder = artifact.checkout(stored_version(artifact).folder(None) if root is None else root, ignore=ignore)
    else:
        folder = artifact.download(root, prefix, hard_links=hard_links)
    if as_json:
        print_json({"artifact": artifact.qualified_name, "root": folder, "files": artifact.file_count, "path": prefix})
    else:
        click.echo(folder)


@click.command("verify", short_help="Compare a folder with a version.")
@version_argument
@root_argument
@ignore_option
@namespace_options
@json_option
def verify_command(
    name: str, root: str | None, ignore: tuple[str, ...], entity: str | None, project: str | None, as_json: bool
) -> None:
    """Compare the folder ROOT (default: ./artifacts/NAME:vN) with a version, and list every difference.

    Exits with code 1 if there is any.
    """
    artifact = version_named(name, entity, project)
    folder = stored_version(artifact).folder(root)
    differences: dict[str, list[str]] = {"missing": [], "changed": [], "extra": [], "executable": []}
    try:
        artifact.verify(root, ignore=ignore)
    except Differences as error:
        differences = {kind: getattr(error, kind) for kind in differences}
    same = not any(differences.values())
    if as_json:
        print_json({"artifact": artifact.qualified_name, "root": folder, "same": same, **differences})
    else:
        lines = [f"{kind:<8} {path}" for kind, paths in differences.items() for path in paths]
        click.echo("\n".join(lines) or f"{folder} matches {artifact.qualified_name}.")
    if not same:
        raise SystemExit(EXIT_DIFFERENT)
