"""`headwater drafts`: versions that are still open, and dropping one."""

from typing import TYPE_CHECKING

import click

from headwater.cli.common import (
    collection_of,
    counted,
    json_option,
    opened,
    print_json,
    print_table,
    say_none,
    time_text,
    where_options,
)
from headwater.cli.completing import complete_artifact

if TYPE_CHECKING:
    from headwater._api.drafts import OpenDraft
    from headwater._config.settings import Settings

ONE_WRITERS = "(one writer's own)"


@click.command("drafts")
@click.option("--artifact", "name", metavar="NAME", help="Only drafts of this one.", shell_complete=complete_artifact)
@click.option("--discard", "distributed_id", metavar="ID", help="Drop the draft that has this ID, with all in it.")
@where_options
@json_option
def drafts_command(
    name: str | None, distributed_id: str | None, entity: str | None, project: str | None, as_json: bool
) -> None:
    """List the drafts that are not sealed, or discard one."""
    from headwater._api.drafts import open_drafts

    client, settings = opened(entity, project)
    drafts = _of(name, list(open_drafts(client, f"{settings.entity}/{settings.project}")), settings)
    if distributed_id is not None:
        draft = _named(distributed_id, drafts)
        draft.discard()
        if not as_json:
            click.echo(f"discarded {draft_text(draft)}")
        drafts = [draft]
    if as_json:
        shown = [draft_json(draft) for draft in drafts]
        print_json(shown if distributed_id is None else {"discarded": shown})
    elif distributed_id is None and drafts:
        _print(drafts)
    elif distributed_id is None:
        say_none(f"{settings.entity}/{settings.project} has no open drafts" + ("" if name is None else f" of {name}"))


def draft_text(draft: "OpenDraft") -> str:
    """A draft, for people."""
    entries = counted(draft.entries, "entry", "entries")
    return f"the draft {draft.distributed_id or ONE_WRITERS} of {draft.collection}, with {entries}"


def draft_json(draft: "OpenDraft") -> dict[str, object]:
    """A draft, for programs."""
    return {
        "artifact": draft.collection,
        "distributed_id": draft.distributed_id,
        "type": draft.type,
        "base": draft.base,
        "entries": draft.entries,
        "writers_done": draft.writers_done,
        "waits_for": draft.waits_for,
        "touched": draft.touched_at.isoformat(),
    }


def _of(name: str | None, drafts: "list[OpenDraft]", settings: "Settings") -> "list[OpenDraft]":
    if name is None:
        return drafts
    collection, selector = collection_of(name, settings)
    if selector is not None:
        raise click.UsageError(f"{name!r} names a version, which is no draft any more. Give the artifact's name.")
    return [draft for draft in drafts if draft.collection == collection]


def _named(distributed_id: str, drafts: "list[OpenDraft]") -> "OpenDraft":
    from headwater_schemas.errors import InvalidInput, NotFound

    found = [draft for draft in drafts if draft.distributed_id == distributed_id]
    if not found:
        raise NotFound(f"no open draft has the id {distributed_id!r}. `headwater drafts` lists those that are open.")
    if len(found) > 1:
        collections = " and ".join(draft.collection for draft in found)
        raise InvalidInput(f"drafts of {collections} have the id {distributed_id!r}. Say which with --artifact.")
    return found[0]


def _print(drafts: "list[OpenDraft]") -> None:
    rows = [
        (
            draft.collection.rpartition("/")[2],
            draft.distributed_id or ONE_WRITERS,
            draft.base or "",
            f"{draft.entries:,}",
            f"{draft.writers_done:,}" + ("" if draft.waits_for is None else f" of {draft.waits_for:,}"),
            time_text(int(draft.touched_at.timestamp() * 1_000_000)),
        )
        for draft in drafts
    ]
    columns = ("artifact", "draft", "base", "entries", "writers done", "touched")
    print_table(columns, rows, fold=("artifact", "draft"), right=("entries",))
