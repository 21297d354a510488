"""`headwater drafts`: list open drafts, or discard one."""

from typing import TYPE_CHECKING

import click
from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.names import CollectionName
from headwater_stores.config.commands import in_project
from headwater_stores.config.settings import Settings
from headwater_stores.telling.progress import counted

from headwater.cli.completion import complete_artifact
from headwater.cli.full_disk import works_on_a_full_disk_with
from headwater.cli.options import json_option, namespace_options
from headwater.cli.output import print_json, print_table, time_text
from headwater.cli.resolve import nothing_in, open_store, parse_name, report_nothing

if TYPE_CHECKING:
    from headwater._api.drafts import OpenDraft

PRIVATE = "(private)"  # the draft of a single writer


@click.command("drafts", short_help="List open drafts, or discard one.")
@click.option(
    "--artifact", "name", metavar="NAME", help="Only drafts of this artifact.", shell_complete=complete_artifact
)
@click.option("--discard", "distributed_id", metavar="ID", help="Discard the draft with this ID and all its entries.")
@namespace_options
@json_option
@works_on_a_full_disk_with("distributed_id")
def drafts_command(
    name: str | None, distributed_id: str | None, entity: str | None, project: str | None, as_json: bool
) -> None:
    """List the open drafts of a project, or discard one."""
    from headwater._api.drafts import open_drafts  # deferred: database

    client, settings = open_store(entity, project)
    namespace = f"{settings.entity}/{settings.project}"
    drafts = _of_artifact(name, list(open_drafts(client, namespace)), settings)
    if distributed_id is not None:
        draft = _with_id(distributed_id, drafts, namespace)
        draft.discard()
        if as_json:
            print_json({"discarded": [draft_json(draft)]})
        else:
            click.echo(f"discarded {draft_text(draft)}")
    elif as_json:
        print_json([draft_json(draft) for draft in drafts])
    elif drafts:
        _print(drafts)
    else:
        reason = nothing_in(client, namespace, "open drafts" + ("" if name is None else f" of {name}"))
        report_nothing(client, "drafts", reason)


def draft_text(draft: "OpenDraft") -> str:
    """A draft in one line."""
    entries = counted(draft.entries, "entry", "entries")
    return f"draft {draft.distributed_id or PRIVATE} of {draft.collection} with {entries}"


def draft_json(draft: "OpenDraft") -> dict[str, object]:
    """A draft for JSON output."""
    return {
        "artifact": draft.collection,
        "distributed_id": draft.distributed_id,
        "type": draft.type,
        "base": draft.base,
        "entries": draft.entries,
        "writers_done": draft.writers_done,
        "waits_for": draft.waits_for,
        "touched": draft.last_event_at.isoformat(),
    }


def _of_artifact(name: str | None, drafts: "list[OpenDraft]", settings: Settings) -> "list[OpenDraft]":
    if name is None:
        return drafts
    collection, selector = parse_name(name, settings)
    if selector is not None:
        raise click.UsageError(f"{name!r} names a version, not an artifact. Write {name.partition(':')[0]}.")
    return [draft for draft in drafts if draft.collection == collection]


def _with_id(distributed_id: str, drafts: "list[OpenDraft]", namespace: str) -> "OpenDraft":
    found = [draft for draft in drafts if draft.distributed_id == distributed_id]
    if not found:
        raise NotFound(
            f"no open draft of {namespace} has the id {distributed_id!r}. `{in_project('drafts', namespace)}` lists "
            "those that are open."
        )
    if len(found) > 1:
        collections = " and ".join(draft.collection for draft in found)
        raise InvalidInput(f"{collections} have drafts with the id {distributed_id!r}. Choose one with --artifact.")
    return found[0]


def _print(drafts: "list[OpenDraft]") -> None:
    rows = [
        (
            CollectionName.parse(draft.collection).name,
            draft.distributed_id or PRIVATE,
            draft.base or "",
            f"{draft.entries:,}",
            f"{draft.writers_done:,}" + ("" if draft.waits_for is None else f" of {draft.waits_for:,}"),
            time_text(int(draft.last_event_at.timestamp() * 1_000_000)),
        )
        for draft in drafts
    ]
    columns = ("artifact", "draft", "base", "entries", "writers done", "last change")
    print_table(columns, rows, fold=("artifact", "draft"), right=("entries",))
