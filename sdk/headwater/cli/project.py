"""`headwater project`: show or change the settings of a project."""

from typing import TYPE_CHECKING, Any

import click
from headwater_schemas import digests, metadata
from headwater_schemas.events import SettingsChanged
from headwater_schemas.limits import DRAFT_IDLE_DAYS_MAX, RESTORE_DAYS_MAX
from headwater_schemas.settings import DIGEST_ALGORITHM, DRAFT_IDLE_DAYS, RESTORE_DAYS, protection

from headwater.cli.full_disk import works_on_a_full_disk_with
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
    "--restore-days",
    type=click.IntRange(0, RESTORE_DAYS_MAX),
    help="Days for which deleted versions can be restored; then `gc` frees their content.",
)
@click.option(
    "--digest-algorithm", type=click.Choice(list(digests.DIGEST_BYTES)), help="Digest algorithm for new content."
)
@click.option("--protect", metavar="ALIAS", multiple=True, help="Let only maintainers move this alias.")
@click.option("--unprotect", metavar="ALIAS", multiple=True, help="Let writers move this alias again.")
@namespace_options
@json_option
@works_on_a_full_disk_with("restore_days", "draft_idle_days")
def project_command(
    draft_idle_days: int | None,
    restore_days: int | None,
    digest_algorithm: str | None,
    protect: tuple[str, ...],
    unprotect: tuple[str, ...],
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Show the settings of a project, or change them for everyone."""
    given = {DRAFT_IDLE_DAYS: draft_idle_days, RESTORE_DAYS: restore_days, DIGEST_ALGORITHM: digest_algorithm}
    patch: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    client, settings = open_store(entity, project, create=bool(patch or protect or unprotect))
    namespace = f"{settings.entity}/{settings.project}"
    if protect or unprotect:
        patch |= protection(protect, unprotect)
    if patch:
        _change(client, namespace, patch)
    current = client.stores.reads.project_settings(namespace)
    if as_json:
        print_json({"project": namespace, "settings": current})
    else:
        fields = [(name.replace("_", " "), _shown(value)) for name, value in current.items()]
        print_fields([("project", namespace), *fields])


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _change(client: "Client", namespace: str, patch: dict[str, Any]) -> None:
    client.catch_up()
    event = SettingsChanged(project=namespace, settings=metadata.encode(patch, "settings"))
    client.send([event]).result()
    client.catch_up()
