"""What a person sees of long work, on standard error: how far it is, and one-line notes.

In a terminal the progress is one line, which is drawn again and again and is gone at the end. Elsewhere, in the log of
a job for example, it is a plain line now and then.
"""

import os
import re
import shutil
import sys
import threading
import unicodedata
from collections import deque
from contextlib import suppress
from time import monotonic
from types import TracebackType

from headwater_blobs.port import HASHING
from headwater_runtime import fork_hooks
from headwater_runtime.durations import format_seconds

SHOW_AFTER_S = 0.7  # shorter work needs no progress
REFRESH_S = 0.1  # in a terminal, while something happens
TICK_S = 1.0  # in a terminal, while nothing does
LINE_EVERY_S = 10.0  # where there is no terminal
RATE_WINDOW_S = 5.0  # of the rate that is shown, and of the time left that follows from it
RATE_SPAN_S_MIN = 0.5  # before that a rate says nothing
SAMPLES_MAX = 64  # of a window
JOIN_S_MAX = 1.0  # for the thread that draws, which may be blocked by a terminal that somebody stopped
COLUMNS_DEFAULT = 80  # of a terminal that does not say

CHECKING = "checking"  # a file that is there already
DOWNLOADING = "downloading"

_GONE = (OSError, ValueError)  # a terminal that hung up, a file that was closed: the work goes on without
_BEFOREHAND = (HASHING, CHECKING)  # what is done with a file before that which counts
_CLEAR = "\r\x1b[K"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed
_TWO_COLUMNS = ("W", "F")


class Progress:
    """How far some long work is. Safe to use from threads.

    Shown only once it takes long; never with `quiet`. `total` is in bytes with `unit="B"`, else a number of steps.
    """

    def __init__(self, title: str, *, total: int, unit: str, files: int = 0, quiet: bool = False) -> None:
        """`files`: how many files the work is about; with 0 or 1 they are not counted."""
        self._title = title
        self._unit = unit
        self._meter = _Meter(total)
        self._files, self._files_done = files, 0
        self._working_on: dict[FileProgress, None] = {}  # the longest first
        self._last_name = ""
        self._lock = threading.Lock()
        self._started_s = monotonic()
        self._drawn_s = 0.0
        self._enabled = sys.stderr is not None and not quiet
        self._in_terminal = self._enabled and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()
        if self._thread is not None:
            self._thread.join(JOIN_S_MAX)
            _screen.close(self)

    def advance(self, amount: int, *, files: int = 0, name: str = "") -> None:
        """Add `amount` to the progress, and so many files that are complete, one of which has this name."""
        with self._lock:
            self._meter.advance(amount)
            self._files_done += files
            self._last_name = name or self._last_name
        self.show()

    def report(self, done: int, total: int) -> None:
        """Set progress and total."""
        with self._lock:
            self._meter.total = total
            self._meter.advance(done - self._meter.done)
        self.show()

    def file(self, name: str, size: int | None) -> "FileProgress":
        """The progress of one file, as a context manager that ends when the file is complete or failed.

        A file of unknown size is not part of the total.
        """
        return FileProgress(self, name, size)

    def begin(self, file: "FileProgress") -> None:
        """Work on a file begins."""
        with self._lock:
            self._working_on[file] = None

    def end(self, file: "FileProgress") -> None:
        """A file is complete."""
        with self._lock:
            self._working_on.pop(file, None)
        self.advance(0, files=1, name=file.name)

    def show(self) -> None:
        """Draw the progress, if it is time."""
        now = monotonic()
        if not self._enabled or now - self._started_s < SHOW_AFTER_S:
            return
        if self._thread is None:
            self._begin_to_show()
        if self._in_terminal and now - self._drawn_s >= REFRESH_S:
            self._draw()

    def _begin_to_show(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._keep_showing, name="headwater-progress", daemon=True)
        _screen.open(self)
        self._thread.start()

    def _keep_showing(self) -> None:
        """Also while nothing happens: a server that does not answer is no reason to show nothing."""
        every_s = TICK_S if self._in_terminal else LINE_EVERY_S
        wait_s = TICK_S if self._in_terminal else LINE_EVERY_S - SHOW_AFTER_S
        while not self._closed.wait(wait_s):
            self._draw()
            wait_s = every_s

    def _draw(self) -> None:
        self._drawn_s = monotonic()
        with self._lock:
            text = self._text()
        _screen.draw(self, text, in_terminal=self._in_terminal)

    def _text(self) -> str:
        """`adding: 3 of 10 files, 1.2 GB of 4.0 GB, 85.0 MB/s, 33 s left, uploading c.bin 40%`."""
        current = next(iter(self._working_on), None)
        if self._unit != "B":
            return f"{self._title}: {self._meter.done:,} of {self._meter.total or 0:,}"
        if self._files <= 1:
            if current is None:
                return f"{' '.join(filter(None, (self._title, self._last_name)))}: {self._meter.text()}"
            return f"{current.activity or self._title} {current.name}: {current.meter.text()}"
        files = f"{self._files_done:,} of {self._files:,} files"
        if current is None:
            doing = f", {self._last_name}" if self._last_name else ""
        else:
            doing = f", {current.activity} {current.name} {current.meter.percent}"
        return f"{self._title}: {files}, {self._meter.text()}{doing}"


class FileProgress:
    """How far the work on one file is."""

    def __init__(self, progress: Progress, name: str, size: int | None) -> None:
        self.name = name
        self.activity = ""  # what is done with it, where that is not what all of the work is called
        self.meter = _Meter(size)
        self._size = size or 0
        self._progress = progress
        self._counted = 0  # bytes that the whole work counts

    def __enter__(self) -> "FileProgress":
        self._progress.begin(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._count(self._size - self._counted)  # what is stored already was not read to its end
            self._progress.end(self)

    def advance(self, amount: int) -> None:
        """So many more bytes are done."""
        self.meter.advance(amount)
        self._count(min(amount, self._size - self._counted))

    def watch(self, activity: str, amount: int) -> None:
        """So many more bytes are done, and what is done with them: a `Watch` of blob stores."""
        if activity != self.activity:
            self.activity, self.meter = activity, _Meter(self.meter.total)
        if activity in _BEFOREHAND:
            self.meter.advance(amount)
            self._progress.show()
        else:
            self.advance(amount)

    def _count(self, amount: int) -> None:
        self._counted += amount
        self._progress.advance(amount)


class _Meter:
    """An amount of bytes or steps, and how fast it grows."""

    def __init__(self, total: int | None) -> None:
        self.total = total  # None where it is not known
        self.done = 0
        self._samples: deque[tuple[float, int]] = deque([(monotonic(), 0)], maxlen=SAMPLES_MAX)

    def advance(self, amount: int) -> None:
        self.done += amount
        if self.total is not None:
            self.done = min(self.done, self.total)  # what changes meanwhile is read once more
        now = monotonic()
        if now - self._samples[-1][0] >= RATE_WINDOW_S / SAMPLES_MAX:
            self._samples.append((now, self.done))
        while len(self._samples) > 1 and now - self._samples[0][0] > RATE_WINDOW_S:
            self._samples.popleft()

    @property
    def percent(self) -> str:
        """How much of it is done."""
        return f"{100 * self.done // self.total}%" if self.total else format_bytes(self.done)

    def text(self) -> str:
        """`1.2 GB of 4.0 GB, 85.0 MB/s, 33 s left`."""
        text = format_bytes(self.done)
        if self.total is not None:
            text = f"{text} of {format_bytes(self.total)}"
        begun_s, before = self._samples[0]
        span_s = monotonic() - begun_s
        if span_s < RATE_SPAN_S_MIN:
            return text
        rate = (self.done - before) / span_s
        left = ""
        if rate and self.total is not None:
            left = f", {format_seconds((self.total - self.done) / rate)} left"
        return f"{text}, {format_bytes(round(rate))}/s{left}"


class _Screen:
    """Standard error: one progress is drawn on it, the last that began, and no note is lost in its line."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._shown: list[Progress] = []
        self._has_line = False  # a line that is to be drawn again

    def hold(self) -> None:
        """Wait until nobody prints, and let nobody begin."""
        self._lock.acquire()

    def release(self) -> None:
        """Let others print again."""
        self._lock.release()

    def open(self, progress: Progress) -> None:
        with self._lock:
            self._shown.append(progress)

    def close(self, progress: Progress) -> None:
        with self._lock:
            self._clear()
            if progress in self._shown:
                self._shown.remove(progress)

    def draw(self, progress: Progress, text: str, *, in_terminal: bool) -> None:
        with self._lock:
            if not self._shown or self._shown[-1] is not progress or sys.stderr is None:
                return
            line = " ".join(f"headwater: {printable(text)}".split())  # of names with a line feed too
            self._has_line = in_terminal
            with suppress(*_GONE):
                _write(f"{_CLEAR}{_cut(line, _columns() - 1)}" if in_terminal else f"{line}\n")

    def note(self, line: str) -> None:
        with self._lock:
            self._clear()
            _write(f"headwater: {line}\n")

    def _clear(self) -> None:
        if self._has_line and sys.stderr is not None:
            with suppress(*_GONE):
                _write(_CLEAR)
        self._has_line = False


def _write(text: str) -> None:
    """In one piece: processes share standard error, and without buffers `print` writes the end of a line by itself."""
    sys.stderr.write(text)
    sys.stderr.flush()


_screen = _Screen()


def _new_screen_in_child() -> None:
    global _screen
    _screen = _Screen()  # what is drawn is the parent's


# No thread is in the middle of printing when the process forks: the child could never print, since the lock of standard
# error would stay held.
fork_hooks.register(before=lambda: _screen.hold(), in_parent=lambda: _screen.release(), in_child=_new_screen_in_child)


def notify(line: str) -> None:
    """Print one line for the user, on standard error."""
    if sys.stderr is not None:
        _screen.note(line)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """`1 version`, `2 versions`."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def format_bytes(size: int) -> str:
    """`312 B`, `1.5 kB`, `2.3 GB`: powers of a thousand, as disks are sold."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{size:,} B" if unit == "B" else f"{amount:,.1f} {unit}"


def printable(text: str) -> str:
    """Text with its control characters escaped, so that it cannot control the terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _columns() -> int:
    return shutil.get_terminal_size((COLUMNS_DEFAULT, 24)).columns


def _cut(text: str, columns: int) -> str:
    """As much of `text` as fits."""
    width = 0
    for i, character in enumerate(text):
        width += 2 if unicodedata.east_asian_width(character) in _TWO_COLUMNS else 1
        if width > columns:
            return f"{text[: i - 1]}…"
    return text
