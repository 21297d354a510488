"""Tables as plain text, where that is all they need: importing rich takes longer than the rest of most commands.

Anything out of the ordinary is left to rich: cells that have to be folded or cut, characters that are not one column
wide, and settings that only rich reads.
"""

import os
import shutil
import sys
from collections.abc import Collection, Sequence

GAP = "  "
COLUMNS_DEFAULT = 80  # of a terminal that does not say
LINES_DEFAULT = 24
RULE = "─"
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"

_READ_BY_RICH = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
_NO_STYLES = ("dumb", "unknown")  # values of TERM


def rich_decides() -> bool:
    """Whether only rich knows how to print here."""
    encoding = getattr(sys.stdout, "encoding", None) or ""
    return not encoding.lower().startswith("utf") or any(name in os.environ for name in _READ_BY_RICH)


def terminal_columns() -> int:
    """How wide the terminal is."""
    return COLUMNS_DEFAULT if _has_no_styles() else shutil.get_terminal_size((COLUMNS_DEFAULT, LINES_DEFAULT)).columns


def bold(text: str) -> str:
    """In bold, if standard output is a terminal that can show it."""
    return text if not sys.stdout.isatty() or _has_no_styles() else f"{BOLD}{text}{PLAIN}"


def aligned(rows: Sequence[Sequence[str]], *, columns_max: int, right: Collection[int] = ()) -> list[list[str]] | None:
    """The cells, padded to the width of their columns; None if that is for rich to do. `right`: numbers of columns."""
    if not all(cell.isascii() and cell.isprintable() for row in rows for cell in row):
        return None
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + len(GAP) * (len(widths) - 1) > columns_max:
        return None
    pads = [str.rjust if number in right else str.ljust for number in range(len(widths))]
    return [[pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)] for row in rows]


def _has_no_styles() -> bool:
    return os.environ.get("TERM", "").lower() in _NO_STYLES
