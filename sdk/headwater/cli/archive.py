"""`headwater archive` and `headwater restore-log`: keep the log in files, and make a log of them again."""

import signal
import threading
from typing import TYPE_CHECKING

import click
from headwater_schemas.archive_files import BUCKET
from headwater_schemas.retention import duration
from headwater_stores.config.settings import Settings, read_settings

from headwater.cli.options import json_option
from headwater.cli.output import print_report
from headwater.cli.through_server import not_there, run_there

if TYPE_CHECKING:
    from headwater_stores.archives import ArchiveReport

PAUSE = "5m"
KEEP = "7d"


@click.command("archive", short_help="Archive the log as Avro files, in a folder or bucket.")
@click.argument("target", required=False)
@click.option("--follow", is_flag=True, help="Go on archiving until SIGTERM or Ctrl-C.")
@click.option("--pause", metavar="TIME", help=f"With --follow, the time between two runs.  [default: {PAUSE}]")
@click.option("--trim", is_flag=True, help="Then delete from Kafka what is archived, verified and projected.")
@click.option("--keep", metavar="TIME", help=f"With --trim, how old events are before they go.  [default: {KEEP}]")
@click.option("--check", is_flag=True, help="Archive nothing: read the archive, and compare it with the log.")
@json_option
def archive_command(
    target: str | None, follow: bool, pause: str | None, trim: bool, keep: str | None, check: bool, as_json: bool
) -> None:
    """Write the events that are not archived yet to files, each with a manifest by which it can be verified.

    TARGET is a folder or s3://bucket/prefix; without it, the archive is kept beside the content of the store. Run it
    from any machine, as often as you like: it goes on where the last one ended, however that one did. A server does it
    for its operators, beside the content or to a bucket.

    --trim makes room in Kafka: from then on, only the archive has the beginning of the log. Every file with events that
    are deleted is read back first. Projectors, replays and new archives read them from the archive.
    """
    if check and (follow or trim):
        raise click.UsageError(f"{'--follow' if follow else '--trim'} and --check exclude each other.")
    if pause is not None and not follow:
        raise click.UsageError("--pause requires --follow.")
    if keep is not None and not trim:
        raise click.UsageError("--keep requires --trim.")
    keep_s = _seconds("--keep", keep or KEEP) if trim else None
    settings = read_settings()
    if settings.server is not None:
        _archive_there(settings, target, follow=follow, trim=trim, keep_s=keep_s, check=check, as_json=as_json)
        return
    from headwater_stores.archives import archive_store, check_archive_of_store  # deferred: database

    if follow:
        _follow(target, _pause_s(pause or PAUSE), keep_s, as_json=as_json)
        return
    if not check:
        print_report(archive_store(target, keep_s=keep_s), as_json=as_json)
        return
    checked = check_archive_of_store(target)
    print_report(checked, as_json=as_json)
    if not checked.ok:
        raise SystemExit(1)


def _archive_there(
    settings: Settings,
    target: str | None,
    *,
    follow: bool,
    trim: bool,
    keep_s: float | None,
    check: bool,
    as_json: bool,
) -> None:
    """By the server. Raises: InvalidSettings for what it does not do."""
    if follow:
        raise not_there(settings, "archiving without end (--follow)")
    if target is not None and not target.startswith(BUCKET):
        raise not_there(settings, f"archiving to a folder ({target!r})")
    keep_seconds = None if keep_s is None else int(keep_s)
    options = {"target": target, "trim": trim, "keep_seconds": keep_seconds, "check": check, "as_json": as_json}
    run_there(settings, "archive", options)


def _pause_s(text: str) -> float:
    found = _seconds("--pause", text)
    if not found:
        raise click.UsageError(f"--pause {text!r} is no time at all. Write a positive number followed by s, m, h or d.")
    return found


def _seconds(option: str, text: str) -> float:
    found = duration(text)
    if found is None:
        raise click.UsageError(f"{option} {text!r} is not a duration. Write a number followed by s, m, h or d.")
    return found.total_seconds()


def _follow(target: str | None, pause_s: float, keep_s: float | None, *, as_json: bool) -> None:
    from headwater_stores.archives import follow_store  # deferred: database

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def tell(report: "ArchiveReport") -> None:
        print_report(report, as_json=as_json)

    follow_store(target, pause_s=pause_s, keep_s=keep_s, stop=stop, told=tell)


@click.command("restore-log", short_help="Restore the log from an archive into a new store.")
@click.argument("archive", metavar="ARCHIVE")
@click.option("--log", "generation", metavar="ID", help="Which log, where the archive has several.")
@json_option
def restore_log_command(archive: str, generation: str | None, as_json: bool) -> None:
    """Restore the events of an archive into the log of a new store: a folder without one, or a profile whose topic does
    not exist or is empty.

    ARCHIVE is a folder or s3://bucket/prefix, as `headwater archive` prints it. Every file is verified first. Nobody
    else may use the store until the command has ended; if it is interrupted, run it again. Cursors of subscribers stay
    valid.
    """
    from headwater_stores.log_restore import restore_log  # deferred: database

    print_report(restore_log(archive, generation), as_json=as_json)
