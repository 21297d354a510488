"""`headwater gc`: delete what nothing needs any more."""

from datetime import timedelta

import click

from headwater.cli.full_disk import works_on_a_full_disk
from headwater.cli.options import json_option
from headwater.cli.output import print_report
from headwater.cli.parsing import grace_option, wait_option
from headwater.cli.resolve import settings_for
from headwater.cli.through_server import run_there, whole_seconds


@click.command("gc", short_help="Free the space of what nothing needs any more.")
@grace_option
@wait_option
@click.option("--dry-run", is_flag=True, help="Report what would be deleted, and delete nothing.")
@click.option("--after-loss", is_flag=True, help="Accept that events which this log lacks are lost for good.")
@json_option
@works_on_a_full_disk
def gc_command(grace: timedelta, wait: timedelta, dry_run: bool, after_loss: bool, as_json: bool) -> None:
    """Delete content that no version can use any more.

    That is content of versions that were deleted longer ago than their project lets them be restored, content that was
    stored and that nothing names, and what was staged by a process that is gone. Run it at any time, beside writers and
    readers, from any machine, also through a server by its operators. One that was interrupted is completed by the
    next.

    Where the log lacks events that an earlier run has seen, nothing is deleted: put the newer copy of the log back.
    """
    from headwater_stores.collecting import collect_store, nothing_collected  # deferred: database

    from headwater._commit.client import client_for  # deferred: database

    settings = settings_for(None, None)
    if settings.server is not None:
        options = {
            "grace_seconds": whole_seconds(grace),
            "wait_seconds": whole_seconds(wait),
            "dry_run": dry_run,
            "after_loss": after_loss,
            "as_json": as_json,
        }
        run_there(settings, "gc", options)
        return
    client = client_for(settings, create=False)
    if client.stores.missing is not None:
        report = nothing_collected(client.stores.missing, dry_run=dry_run)
    else:
        report = collect_store(
            client.stores,
            settings,
            client.session.producer,
            grace_s=grace.total_seconds(),
            wait_s=wait.total_seconds(),
            dry_run=dry_run,
            after_loss=after_loss,
        )
    print_report(report, as_json=as_json)
    if not report.ok:
        raise SystemExit(1)
