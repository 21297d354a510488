"""`headwater export` and `headwater import`: versions as one file, with all that they were made from."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import click
from headwater_schemas.errors import InvalidInput
from headwater_schemas.names import check_name
from headwater_stores.config.settings import Settings
from headwater_stores.portable.seekable_files import seekable

from headwater.cli.completion import complete_version
from headwater.cli.options import json_option, namespace_options
from headwater.cli.output import print_report
from headwater.cli.resolve import parse_name, settings_for
from headwater.cli.through_server import export_there, import_there

if TYPE_CHECKING:
    from headwater_stores.portable.exporting import ExportReport

STDIO = "-"
aliases_option = click.option(
    "--aliases",
    type=click.Choice(["keep", "move", "none"]),
    default="keep",
    show_default=True,
    help="Of aliases that are elsewhere in the store: keep them there, or move them; or import none.",
)


@click.command("export", short_help="Write versions, and all that they were made from, as one file.")
@click.argument("names", metavar="[NAME[:VERSION]]...", nargs=-1, shell_complete=complete_version)
@click.option("-o", "--output", metavar="FILE", default=STDIO, help="Where to.  [default: standard output]")
@click.option("--all", "all_versions", is_flag=True, help="All versions of each NAME, or of the project.")
@click.option("--no-upstream", is_flag=True, help="Leave out what they were made from.")
@namespace_options
@json_option
def export_command(
    names: tuple[str, ...],
    output: str,
    all_versions: bool,
    no_upstream: bool,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Write versions as one file: their files, what they were made from, the runs between, and aliases.

    `headwater import FILE` reads it into another store. A zip of Avro files; nothing of headwater is needed to read it.
    """
    if not names and not all_versions:
        raise click.UsageError("Give the NAME of an artifact, or --all for everything in the project.")
    settings = settings_for(entity, project)
    named = [parse_name(name, settings) for name in names]
    with _opened_output(output) as out:
        if settings.server is not None:
            options = {
                "names": [name if selector is None else f"{name}:{selector}" for name, selector in named],
                "project": None if names else f"{settings.entity}/{settings.project}",
                "all_versions": all_versions,
                "upstream": not no_upstream,
                "as_json": as_json and output != STDIO,
            }
            export_there(settings, options, out, report="note" if output == STDIO else "print")
            return
        report = _exported(settings, named, out, upstream=not no_upstream, all_versions=all_versions)
    if output != STDIO:
        print_report(report, as_json=as_json)
        return
    for line in report.lines() if not settings.quiet else ():
        click.echo(f"headwater: {line}", err=True)


def _exported(
    settings: Settings, named: Sequence[tuple[str, str | None]], out: IO[bytes], *, upstream: bool, all_versions: bool
) -> "ExportReport":
    """Of what is named, or of everything in the project."""
    from headwater_stores.portable.commands import export_named, export_project  # deferred: database

    if not named:
        return export_project(settings, f"{settings.entity}/{settings.project}", out, upstream=upstream)
    return export_named(settings, named, out, upstream=upstream, all_versions=all_versions)


@contextmanager
def _opened_output(output: str) -> Iterator[IO[bytes]]:
    """A file appears once it is whole. What is there and no file, such as a pipe, gets it at once."""
    if output == STDIO:
        if sys.stdout.isatty():
            raise click.UsageError("An export is no text for a terminal. Give -o FILE, or redirect it: > FILE.")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if os.path.exists(output) and not os.path.isfile(output):
        with open(output, "wb") as opened:
            yield opened
        return
    unfinished = f"{output}.unfinished"
    try:
        with open(unfinished, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, output)
    except BaseException:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        raise


@click.command("import", short_help="Read an export into this store.")
@click.argument("file", metavar="FILE")
@click.option("--project", metavar="[ENTITY/]PROJECT", help="Into this project.  [default: where each was]")
@aliases_option
@json_option
def import_command(file: str, project: str | None, aliases: str, as_json: bool) -> None:
    """Read what `headwater export` wrote into this store; - reads standard input.

    Versions get numbers of this store, and say where they come from. What is here already is not stored again, and
    importing again adds nothing. Everything is verified.
    """
    settings = settings_for(None, None)
    into = None if project is None else qualified(project, settings.entity)
    if file == STDIO:
        import_into(settings, sys.stdin.buffer, "standard input", into, aliases, as_json=as_json)
        return
    with open(file, "rb") as opened:
        import_into(settings, opened, file, into, aliases, as_json=as_json)


def import_into(
    settings: Settings, file: IO[bytes], name: str, into: str | None, aliases: str, *, as_json: bool
) -> None:
    """Import an export into a store, by its server where it has one, and print what that did."""
    with seekable(file, name) as kept:
        if settings.server is not None:
            import_there(settings, kept, {"project": into, "aliases": aliases, "as_json": as_json})
            return
        from headwater_stores.portable.commands import import_file  # deferred: database

        print_report(import_file(settings, kept, name, project=into, aliases=aliases), as_json=as_json)


def qualified(project: str, entity: str) -> str:
    """ "entity/project" of `project` or `entity/project`. Raises: InvalidName, InvalidInput."""
    *given, name = project.split("/")
    if len(given) > 1:
        raise InvalidInput(f"{project!r} is no project. Write PROJECT or ENTITY/PROJECT.")
    return f"{check_name(given[0] if given else entity, 'entity')}/{check_name(name, 'project')}"
