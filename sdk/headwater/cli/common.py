"""What the commands share: options, and how answers are shown to people and to programs."""

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headwater._settings import Settings, read_settings

if TYPE_CHECKING:
    from headwater._client import Client

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
project_option = click.option("--project", help="The project; else as the settings say.")
entity_option = click.option("--entity", help="The entity; else as the settings say.")


def where_options(command: Command) -> Command:
    """`--entity` and `--project`."""
    return entity_option(project_option(command))


def opened(entity: str | None, project: str | None) -> "tuple[Client, Settings]":
    """The store, caught up, and the settings with what was given on the command line."""
    from headwater._client import client_for

    settings = read_settings()
    changed = dataclasses.replace(settings, entity=entity or settings.entity, project=project or settings.project)
    client = client_for(changed, create=False)
    client.catch_up()
    return client, changed


def collection_of(text: str, settings: Settings) -> tuple[str, str | None]:
    """`name:v3` → ("entity/project/name", "v3"); the second is None where nothing was given."""
    from headwater_schemas.names import ArtifactReference

    wanted = ArtifactReference.parse(text)
    collection = f"{wanted.entity or settings.entity}/{wanted.project or settings.project}/{wanted.name}"
    return collection, wanted.selector if ":" in text else None


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table on standard output, as wide as it must be where nobody looks at it through a terminal."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*[_escaped(cell) for cell in row])
    console().print(table)


def console() -> Any:
    """Where tables and trees are printed."""
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, width=int(os.environ.get("COLUMNS", "200")))


def time_text(time_us: int) -> str:
    """The local time, to the second."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(time_us: int) -> str:
    """The time in UTC, for programs."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat()


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _plain(value: Any) -> Any:
    from headwater_schemas import digests

    if isinstance(value, bytes):
        return digests.to_text(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"cannot print a {type(value).__name__}")
