"""`headwater copy`: a whole store into a new one."""

import tempfile

import click
from headwater_stores.config.settings import read_settings

from headwater.cli.options import json_option
from headwater.cli.output import print_report
from headwater.cli.portable import aliases_option, import_into, qualified
from headwater.cli.through_server import check_there, export_there


@click.command("copy", short_help="Copy a whole store into a new one, and follow it.")
@click.option("--from", "source", metavar="URL", required=True, help="The store to copy, as of HEADWATER_URL.")
@click.option("--to", "target", metavar="URL", required=True, help="Where no store is yet, or a copy of that one.")
@click.option("--project", metavar="ENTITY/PROJECT", help="Only this project, into a store with others: an import.")
@click.option("--into", metavar="ENTITY/PROJECT", help="With --project: under this name.")
@aliases_option
@click.option("--without-lost", is_flag=True, help="Go on where the source has lost content or has it damaged.")
@json_option
def copy_command(
    source: str, target: str, project: str | None, into: str | None, aliases: str, without_lost: bool, as_json: bool
) -> None:
    """Copy a whole store into a new one: the same versions, numbers, times and authors.

    Run it again to copy what is new since, until whatever writes has changed HEADWATER_URL. Once anything was logged in
    the copy, it is refused.
    """
    if project is not None:
        _copy_project(source, target, project, into, aliases, as_json=as_json)
        return
    if into is not None:
        raise click.UsageError("--into requires --project.")
    from headwater_stores.store_copy import copy_store  # deferred: database

    report = copy_store(source, target, without_lost=without_lost)
    print_report(report, as_json=as_json)
    if not report.ok:
        raise SystemExit(1)


def _copy_project(source: str, target: str, project: str, into: str | None, aliases: str, *, as_json: bool) -> None:
    """By a temporary file, since an import begins with the end of an export."""
    there, here = read_settings(url=source), read_settings(url=target)
    name, new_name = qualified(project, there.entity), None if into is None else qualified(into, here.entity)
    if here.server is not None:
        check_there(here)
    with tempfile.TemporaryFile() as kept:
        if there.server is not None:
            export_there(there, {"project": name, "all_versions": True}, kept, report="drop")
        else:
            from headwater_stores.portable.commands import export_project  # deferred: database

            export_project(there, name, kept)
        kept.seek(0)
        import_into(here, kept, f"what {there.url} has of {name}", new_name, aliases, as_json=as_json)
