"""`headwater events`: what happens to artifacts, one line of JSON for each event."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
from headwater_schemas.retention import duration
from headwater_schemas.version_events import KINDS
from headwater_stores.config.settings import read_settings

from headwater._subscriptions.names import forget_subscription, subscription_names
from headwater._subscriptions.subscribe import full_project_name, subscribe
from headwater.cli.completion import complete_type
from headwater.cli.output import print_table, report_empty, shown_time

EXIT_INTERRUPTED = 130  # as shells report it
_PLACES = ("start", "now")


def parse_after(ctx: click.Context, param: click.Parameter, text: str | None) -> str | datetime | None:  # noqa: ARG001
    """The callback of options that name a place among version events."""
    if text is None or text in _PLACES:
        return text
    ago = duration(text)
    if ago is not None:
        return datetime.now(UTC) - min(ago, timedelta(days=365 * 50))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text  # a cut or cursor; what it is not is said where it is used
    return time.astimezone()  # without a zone, local time


@click.command("events", short_help="Print what happens to artifacts, one line of JSON an event.")
@click.argument("project", metavar="[[ENTITY/]PROJECT]", required=False)
@click.option("--entity", help="All projects of this entity.")
@click.option("-f", "--follow", is_flag=True, help="Wait for what comes, until Ctrl-C.")
@click.option(
    "--after",
    metavar="WHERE",
    callback=parse_after,
    help="Begin after this: start, now, a time such as 2026-01-31T12:00, a duration ago such as 7d, or a cursor.  "
    "[default: start, or with --follow now]",
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only this kind; can be repeated.")
@click.option("--alias", metavar="ALIAS", help="Only moves of this alias.")
@click.option(
    "--type", "type_name", metavar="TYPE", shell_complete=complete_type, help="Only about artifacts of this type."
)
@click.option("--name", metavar="NAME", help="Go on where the last one with this name ended, and remember how far.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="End after so many events.")
@click.option("--names", is_flag=True, help="List the names, and how far each is, instead.")
@click.option("--forget", metavar="NAME", help="Forget a name instead.")
def events_command(
    project: str | None,
    entity: str | None,
    follow: bool,
    after: str | datetime | None,
    kinds: tuple[str, ...],
    alias: str | None,
    type_name: str | None,
    name: str | None,
    limit: int | None,
    names: bool,
    forget: str | None,
) -> None:
    """Print the version events of a project, or of all projects of an entity, one line of JSON each.

    Each line is a CloudEvent; docs/events.md describes them. Its `cursor` is what --after takes to go on behind it.
    """
    if names or forget is not None:
        if names and forget is not None:
            raise click.UsageError("--names lists and --forget forgets: give one of them.")
        _manage_names(entity, project, forget)
        return
    with _quiet_interrupt():
        events = subscribe(
            project,
            entity=entity,
            kinds=kinds,
            alias=alias,
            type=type_name,
            after=after or ("now" if follow else "start"),
            name=name,
            timeout_s=None if follow else 0,
        )
        as_ascii = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() != "utf-8"
        with events:
            for number, event in enumerate(events, 1):
                click.echo(json.dumps(event.to_json(), ensure_ascii=as_ascii))
                if number == limit:
                    events.mark_read()
                    return


@contextmanager
def _quiet_interrupt() -> Iterator[None]:
    """Ctrl-C is how one ends what follows events: nothing was left undone."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _manage_names(entity: str | None, project: str | None, forget: str | None) -> None:
    """List all names, or forget one of an entity or of a project."""
    settings = read_settings()
    if forget is not None:
        forget_subscription(settings, entity or full_project_name(project, settings), forget)
        return
    found = subscription_names(settings)
    if not found:
        report_empty("no subscription has a name here")
        return
    rows = [(one.scope, one.name, shown_time(one.moved), one.cursor or "") for one in found]
    print_table(("follows", "name", "moved", "cursor"), rows, fold=("follows", "name"), cut="cursor")
