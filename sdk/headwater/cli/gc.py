"""`headwater gc`: delete what no event can refer to any more."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from headwater._progress import counted, format_bytes
from headwater._stores.leftovers import NOTHING, reclaim
from headwater.cli.options import json_option
from headwater.cli.output import print_json
from headwater.cli.parsing import grace_option
from headwater.cli.resolve import open_store

if TYPE_CHECKING:
    from headwater._stores.leftovers import Amount


@click.command("gc", short_help="Delete what interrupted and killed writers left.")
@grace_option
@click.option("--dry-run", is_flag=True, help="Report what would be deleted, and delete nothing.")
@json_option
def gc_command(grace: timedelta, dry_run: bool, as_json: bool) -> None:
    """Delete content that was staged by a process that is gone, and that no version can use any more.

    In a folder, a running process holds a lock on what it staged, so that this is never deleted. In a bucket,
    incomplete uploads are deleted that received nothing for the time of --grace. The content of deleted versions is not
    deleted yet.
    """
    client, _ = open_store(None, None)
    if client.stores.missing is not None:
        found = NOTHING
    else:
        found = reclaim(client.stores.blobs, grace_s=grace.total_seconds(), dry_run=dry_run)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "deleted": found.deleted.count,
                "bytes_freed": found.deleted.size_bytes,
                "recent": found.recent.count,
                "recent_bytes": found.recent.size_bytes,
            }
        )
        return
    click.echo(f"{'would reclaim' if dry_run else 'reclaimed'} {amount_text(found.deleted)}")
    if found.recent.count:
        click.echo(f"kept {amount_text(found.recent)}, which is more recent than --grace")


def amount_text(amount: "Amount") -> str:
    """`1.2 GB of staged content in 3 files`."""
    return f"{format_bytes(amount.size_bytes)} of staged content in {counted(amount.count, 'file')}"
