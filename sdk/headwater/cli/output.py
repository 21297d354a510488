"""Prints results as JSON for programs and as tables for people."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import click
from headwater_schemas import digests
from headwater_stores.telling.progress import printable

from headwater.cli.plain_tables import GAP, RULE, aligned, bold, rich_decides, terminal_columns

DIGEST_DIGITS_SHOWN = 12  # 48 bits are enough to tell digests apart by eye
PIPE_COLUMNS = 100_000  # effectively unlimited, so that output read by a program is never folded or truncated
CUT_COLUMNS_MIN, CUT_SHARE = 17, 0.35  # bounds of a truncated column; 17 columns fit a short digest


class Report(Protocol):
    """What one run of a command did or found."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        ...

    def lines(self) -> Iterator[str]:
        """For people."""
        ...


def print_report(report: Report, *, as_json: bool) -> None:
    """Print it for programs or for people."""
    if as_json:
        print_json(report.as_json())
        return
    for line in report.lines():
        click.echo(line)


# --- for programs


def print_json(value: Any) -> None:
    """Print one JSON document, in ASCII unless standard output is UTF-8."""
    as_ascii = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() != "utf-8"
    click.echo(json.dumps(value, indent=2, ensure_ascii=as_ascii, default=_plain))


def json_text(value: Any) -> str:
    """JSON on one line, for a table cell."""
    return json.dumps(value, ensure_ascii=False)


def iso(time_us: int) -> str:
    """The time in UTC, in ISO 8601."""
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
    """Print a table; without a terminal, as wide as it needs to be.

    In a narrow terminal the columns `fold` wrap onto further lines, and `cut` is truncated.
    """
    printed = [[printable(cell) for cell in row] for row in rows]
    if not _printed_plainly(columns, printed, right=right, cut=cut):
        _print_folded(columns, printed, fold=fold, right=right, cut=cut)


def _printed_plainly(columns: Sequence[str], rows: list[list[str]], *, right: Sequence[str], cut: str | None) -> bool:
    """Whether the table needed nothing of rich."""
    if rich_decides():
        return False
    width = _columns()
    cells = aligned([columns, *rows], columns_max=width, right=[columns.index(name) for name in right])
    if cells is None or (cut is not None and len(cells[0][columns.index(cut)]) > _cut_columns(width)):
        return False
    header, *others = [GAP.join(row) for row in cells]
    click.echo("\n".join([bold(header), RULE * len(header), *others]))
    return True


def _print_folded(
    columns: Sequence[str], rows: list[list[str]], *, fold: Sequence[str], right: Sequence[str], cut: str | None
) -> None:
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
            max_width=_cut_columns(out.width) if column == cut else None,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    out.print(table)


def _cut_columns(width: int) -> int:
    """How wide a truncated column may be."""
    return max(CUT_COLUMNS_MIN, int(width * CUT_SHARE))


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print one name and value per line, leaving out empty values."""
    shown = [(name, printable(value)) for name, value in fields if value]
    cells = None if rich_decides() else aligned(shown, columns_max=_columns())
    if cells is None:
        _print_folded_fields(shown)
    elif cells:
        click.echo("\n".join(GAP.join((bold(name), value)) for name, value in cells))


def _print_folded_fields(fields: Iterable[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, Text(value))
    console().print(table)


def console() -> Any:
    """The console that tables and trees are printed to."""
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, width=_pipe_columns())


def _columns() -> int:
    """How wide what is printed may be."""
    return terminal_columns() if sys.stdout.isatty() else _pipe_columns()


def _pipe_columns() -> int:
    """The value of `COLUMNS` if it is a number."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) > 0 else PIPE_COLUMNS


def report_omitted(count: int) -> None:
    """Report on standard error how many rows a list left out."""
    if count > 0:
        click.echo(f"{count:,} more; --limit shows them.", err=True)


def report_empty(reason: str) -> None:
    """Report on standard error why a list is empty, instead of printing an empty table."""
    click.echo(f"{reason}.", err=True)


def time_text(time_us: int) -> str:
    """The local time, to the minute."""
    return shown_time(datetime.fromtimestamp(time_us / 1_000_000, UTC))


def shown_time(time: datetime) -> str:
    """The local time, to the minute."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def short_digest(digest: str) -> str:
    """The algorithm and the first digits of a digest."""
    algorithm, colon, digits = digest.rpartition(":")
    return f"{algorithm}{colon}{digits[:DIGEST_DIGITS_SHOWN]}"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return digests.to_text(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"cannot print a {type(value).__name__}")
