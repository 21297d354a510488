"""`headwater project` and `headwater maintain`: how a project is run, and what has to be done now and then."""

import time
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas import digests, metadata
from headwater_schemas.settings import DIGEST_ALGORITHM, DRAFT_IDLE_DAYS, DRAFT_IDLE_DAYS_MAX

from headwater.cli.common import json_option, opened, print_facts, print_json, where_options
from headwater.cli.drafts import draft_json, draft_text

if TYPE_CHECKING:
    from headwater._api.drafts import OpenDraft
    from headwater._commit.client import Client


@click.command("project", short_help="Show the settings of a project, or change them.")
@click.option(
    "--draft-idle-days",
    type=click.IntRange(1, DRAFT_IDLE_DAYS_MAX),
    help="After how many days `maintain` discards a draft that nobody touches.",
)
@click.option(
    "--digest-algorithm", type=click.Choice(list(digests.DIGEST_BYTES)), help="By which new content is known from now."
)
@where_options
@json_option
def project_command(
    draft_idle_days: int | None, digest_algorithm: str | None, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Show the settings of a project, or change them for everybody who logs to it."""
    from headwater_consumer.queries.projects import project_settings

    given = {DRAFT_IDLE_DAYS: draft_idle_days, DIGEST_ALGORITHM: digest_algorithm}
    patch = {name: value for name, value in given.items() if value is not None}
    client, settings = opened(entity, project, create=bool(patch))
    of = f"{settings.entity}/{settings.project}"
    if patch:
        _change(client, of, patch)
    now = project_settings(client.stores.database, of)
    if as_json:
        print_json({"project": of, "settings": now})
    else:
        print_facts([("project", of), *((name.replace("_", " "), str(value)) for name, value in now.items())])


@click.command("maintain", short_help="Discard the drafts that nobody goes on with.")
@where_options
@json_option
def maintain_command(entity: str | None, project: str | None, as_json: bool) -> None:
    """Discard the drafts that nobody touched for the days that their project sets.

    Of all projects, or of the one that --project names. Run it now and then, from any machine.
    """
    client, settings = opened(entity, project)
    if entity is not None and project is None:
        raise click.UsageError("--entity says whose the project is: give --project too.")
    gone = _discarded(client, None if project is None else f"{settings.entity}/{project}")
    if as_json:
        print_json({"discarded": [draft_json(draft) for draft in gone]})
        return
    for draft in gone:
        click.echo(f"discarded {draft_text(draft)}")
    if not gone:
        click.echo("Nothing to do.")


def _change(client: "Client", project: str, patch: dict[str, Any]) -> None:
    from headwater_schemas.events import SettingsChanged

    event = SettingsChanged(project=project, settings=metadata.encode(patch, "settings"))
    client.send([event]).result()
    client.catch_up()


def _discarded(client: "Client", project: str | None) -> "list[OpenDraft]":
    """Those that are gone: one that somebody touched meanwhile stays."""
    from headwater_consumer import queries
    from headwater_consumer.maintenance.idle_drafts import discard_idle_drafts

    from headwater._api.drafts import OpenDraft

    database, now_us = client.stores.database, time.time_ns() // 1000
    idle = discard_idle_drafts(database, client.session.producer, now_us=now_us, project=project)
    client.session.confirm(projected=True)
    after = [queries.draft_info(database, draft.collection, draft.draft) for draft in idle]
    return [OpenDraft(client, info) for info, now in zip(idle, after, strict=True) if now is not None and now.discarded]
