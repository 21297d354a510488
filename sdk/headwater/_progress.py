"""Progress output: a bar for long work in a terminal, and one-line notes."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

SHOW_AFTER_S = 0.7  # shorter work needs no bar
REFRESH_S = 0.1


class Progress:
    """A progress bar on standard error, shown only in a terminal and only for work that takes long."""

    def __init__(self, title: str, *, total: int, unit: str, quiet: bool = False) -> None:
        self._title = title
        self._total = total
        self._unit = unit
        self._done = 0
        self._started_s = time.monotonic()
        self._shown_s = 0.0
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._enabled = sys.stderr is not None and sys.stderr.isatty() and not quiet

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, amount: int) -> None:
        """Add `amount` to the progress."""
        self.set(self._done + amount)

    def report(self, done: int, total: int) -> None:
        """Set progress and total."""
        self._total = total
        self.set(done)

    def set(self, done: int) -> None:
        """Set the progress."""
        self._done = done
        now = time.monotonic()
        if not self._enabled or now - self._started_s < SHOW_AFTER_S or now - self._shown_s < REFRESH_S:
            return
        self._shown_s = now
        if self._bar is None:
            self._bar, self._task = _start_bar(self._title, self._total, self._unit)
        assert self._task is not None
        self._bar.update(self._task, completed=self._done, total=self._total)


def _start_bar(title: str, total: int, unit: str) -> "tuple[RichProgress, TaskID]":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    amount = DownloadColumn() if unit == "B" else MofNCompleteColumn()
    bar = RichProgress(
        TextColumn("headwater: {task.description}"),
        BarColumn(),
        amount,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    return bar, bar.add_task(title, total=total)


def notify(line: str) -> None:
    """Print one line for the user, on standard error."""
    if sys.stderr is not None:
        print(f"headwater: {line}", file=sys.stderr, flush=True)  # noqa: T201 - the only place that prints


def format_bytes(size: int) -> str:
    """`312 B`, `1.5 kB`, `2.3 GB`: powers of a thousand, as disks are sold."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{size:,} B" if unit == "B" else f"{amount:,.1f} {unit}"
