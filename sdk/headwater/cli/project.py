"""`headwater project`: show or change the settings of a project."""

from typing import TYPE_CHECKING, Any

import click
from headwater_schemas import digests, metadata
from headwater_schemas.events import SettingsChanged
from headwater_schemas.limits import DRAFT_IDLE_DAYS_MAX
from headwater_schemas.settings import DIGEST_ALGORITHM, DRAFT_IDLE_DAYS

from headwater.cli.options import json_option, namespace_options
from headwater.cli.output import print_fields, print_json
from headwater.cli.resolve import open_store

if TYPE_CHECKING:
    from headwater._commit.client import Client


@click.command("project", short_help="Show or change the settings of a project.")
@click.option(
    "--draft-idle-days",
    type=click.IntRange(1, DRAFT_IDLE_DAYS_MAX),
    help="Days after which `maintain` discards an idle draft.",
)
@click.option(
    "--digest-algorithm", type=click.Choice(list(digests.DIGEST_BYTES)), help="Digest algorithm for new content."
)
@namespace_options
@json_option
def project_command(
    draft_idle_days: int | None, digest_algorithm: str | None, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Show the settings of a project, or change them for everyone."""
    from headwater_consumer.queries.projects import project_settings  # deferred: database

    given = {DRAFT_IDLE_DAYS: draft_idle_days, DIGEST_ALGORITHM: digest_algorithm}
    patch = {name: value for name, value in given.items() if value is not None}
    client, settings = open_store(entity, project, create=bool(patch))
    namespace = f"{settings.entity}/{settings.project}"
    if patch:
        _change(client, namespace, patch)
    current = project_settings(client.stores.database, namespace)
    if as_json:
        print_json({"project": namespace, "settings": current})
    else:
        fields = [(name.replace("_", " "), str(value)) for name, value in current.items()]
        print_fields([("project", namespace), *fields])


def _change(client: "Client", namespace: str, patch: dict[str, Any]) -> None:
    client.catch_up()
    event = SettingsChanged(project=namespace, settings=metadata.encode(patch, "settings"))
    client.send([event]).result()
    client.catch_up()
