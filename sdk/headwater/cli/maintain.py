"""`headwater maintain` and `headwater replay`: regular maintenance, and rebuilding the projection."""

import time
from typing import TYPE_CHECKING

import click

from headwater.cli.drafts import draft_json, draft_text
from headwater.cli.options import json_option, namespace_options
from headwater.cli.output import print_json
from headwater.cli.resolve import open_store

if TYPE_CHECKING:
    from headwater._api.drafts import OpenDraft
    from headwater._commit.client import Client


@click.command("maintain", short_help="Discard idle drafts.")
@namespace_options
@json_option
def maintain_command(entity: str | None, project: str | None, as_json: bool) -> None:
    """Discard drafts that have been idle for longer than their project allows.

    Covers all projects, or only the one given with --project. Run it regularly, from any machine.
    """
    client, settings = open_store(entity, project)
    if entity is not None and project is None:
        raise click.UsageError("--entity requires --project.")
    discarded = _discard_idle(client, None if project is None else f"{settings.entity}/{project}")
    if as_json:
        print_json({"discarded": [draft_json(draft) for draft in discarded]})
        return
    for draft in discarded:
        click.echo(f"discarded {draft_text(draft)}")
    if not discarded:
        click.echo("No idle drafts.")


@click.command("replay", short_help="Rebuild the projection from the log and compare.")
@click.option("--replace", is_flag=True, help="Replace the current projection with the new one.")
@json_option
def replay_command(replace: bool, as_json: bool) -> None:
    """Build a second projection from the log and compare it with the current one.

    Exits with code 1 if they differ. --replace also works if the current projection is missing or damaged.
    """
    from headwater._stores.maintenance import replay_store  # deferred: sqlalchemy

    report = replay_store(replace=replace)
    if as_json:
        print_json(report.as_json())
    else:
        for line in report.lines():
            click.echo(line)
    if not report.ok:
        raise SystemExit(1)


def _discard_idle(client: "Client", project: str | None) -> "list[OpenDraft]":
    """The discarded drafts, without those that a writer has added to in the meantime."""
    from headwater_consumer import queries  # deferred: sqlalchemy
    from headwater_consumer.maintenance.idle_drafts import discard_idle_drafts  # deferred: sqlalchemy

    from headwater._api.drafts import OpenDraft  # deferred: sqlalchemy

    database, now_us = client.stores.database, time.time_ns() // 1000
    idle = discard_idle_drafts(database, client.session.producer, now_us=now_us, project=project)
    client.session.confirm(projected=True)
    after = [queries.draft_info(database, draft.collection, draft.draft) for draft in idle]
    return [OpenDraft(client, info) for info, now in zip(idle, after, strict=True) if now is not None and now.discarded]
