"""What the commands share: options, and how answers are shown to people and to programs."""

import dataclasses
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headwater._config.settings import Settings, read_settings
from headwater.cli.completing import complete_version

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact
    from headwater._commit.client import Client

Command = TypeVar("Command", bound=Callable[..., Any])

ROWS_SHOWN = 100  # unless asked for more
DIGITS_SHOWN = 12  # of a digest: 48 bits tell apart what one person looks at
PIPE_COLUMNS = 100_000  # as good as no limit: nothing is folded or cut where a program reads
CUT_COLUMNS_MIN, CUT_SHARE = 17, 0.35  # of a terminal, for a column that may lose its end; 17 hold a short digest

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # but tabulators and line breaks

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
limit_option = click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=ROWS_SHOWN, show_default=True, help="How many at the most."
)
project_option = click.option("--project", help="The project; else as the settings say.")
entity_option = click.option("--entity", help="The entity; else as the settings say.")
version_argument = click.argument("name", metavar="NAME[:VERSION]", shell_complete=complete_version)


def where_options(command: Command) -> Command:
    """`--entity` and `--project`."""
    return entity_option(project_option(command))


def opened(entity: str | None, project: str | None, *, create: bool = False) -> "tuple[Client, Settings]":
    """The store, caught up, and the settings with what was given on the command line.

    Raises: StoreUnavailable when there is no store and `create` is not set; InvalidName.
    """
    from headwater_schemas.names import check_name

    from headwater._commit.client import client_for

    settings = read_settings()
    changed = dataclasses.replace(
        settings,
        entity=settings.entity if entity is None else check_name(entity, "entity"),
        project=settings.project if project is None else check_name(project, "project"),
    )
    client = client_for(changed, create=create)
    client.catch_up()
    return client, changed


def version_named(name: str, entity: str | None, project: str | None) -> "Artifact":
    """The version that NAME, NAME:ALIAS or NAME:v3 means. Raises: NotFound, InvalidName."""
    from headwater._artifact.lookup import find_artifact

    client, settings = opened(entity, project)
    return find_artifact(client, name, settings.entity, settings.project)


def collection_of(text: str, settings: Settings) -> tuple[str, str | None]:
    """`name:v3` → ("entity/project/name", "v3"); the second is None where nothing was given."""
    from headwater_schemas.names import ArtifactReference

    wanted = ArtifactReference.parse(text)
    collection = f"{wanted.entity or settings.entity}/{wanted.project or settings.project}/{wanted.name}"
    return collection, wanted.selector if ":" in text else None


# --- for programs


def print_json(value: Any) -> None:
    """One JSON document on standard output; where that is not UTF-8, in ASCII, which JSON can do as well."""
    as_ascii = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() != "utf-8"
    click.echo(json.dumps(value, indent=2, ensure_ascii=as_ascii, default=_plain))


def json_text(value: Any) -> str:
    """JSON on one line, for a cell."""
    return json.dumps(value, ensure_ascii=False)


def iso(time_us: int) -> str:
    """The time in UTC, for programs."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat()


# --- for people


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    fold: Sequence[str],
    right: Sequence[str] = (),
    cut: str | None = None,
) -> None:
    """A table on standard output, as wide as it must be where nobody looks at it through a terminal.

    In a narrow terminal the columns `fold` go on in the next line, complete; `cut` loses its end.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = console()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column not in fold,
            overflow="fold" if column in fold else "ellipsis",
            max_width=max(CUT_COLUMNS_MIN, int(out.width * CUT_SHARE)) if column == cut else None,
        )
    for row in rows:
        table.add_row(*[Text(visible(cell)) for cell in row])
    out.print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """What is known of one thing: a name and a value a line; what is not known is left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(name, Text(visible(value)))
    console().print(table)


def console() -> Any:
    """Where tables and trees are printed."""
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, width=_columns_of_a_pipe())


def _columns_of_a_pipe() -> int:
    """What `COLUMNS` asks for, where that is a number."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else PIPE_COLUMNS


def visible(text: str) -> str:
    """Free text for a terminal, which would obey control characters that somebody put there."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def say_more(left: int) -> None:
    """Say on standard error that a list was cut."""
    if left > 0:
        click.echo(f"{left:,} more; --limit shows them.", err=True)


def say_none(what: str) -> None:
    """Say on standard error why a list is empty, rather than show a table of nothing."""
    click.echo(f"{what}.", err=True)


def counted(number: int, what: str, many: str | None = None) -> str:
    """`1 version`, `2 versions`."""
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"


def time_text(time_us: int) -> str:
    """The local time, to the minute."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def short(digest: str) -> str:
    """The beginning of a digest, with its algorithm: enough for people to tell contents apart."""
    algorithm, colon, digits = digest.rpartition(":")
    return f"{algorithm}{colon}{digits[:DIGITS_SHOWN]}"


def _plain(value: Any) -> Any:
    from headwater_schemas import digests

    if isinstance(value, bytes):
        return digests.to_text(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"cannot print a {type(value).__name__}")
