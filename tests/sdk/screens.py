"""A terminal, or a file, in the place of standard error, and a clock of its own for what is shown there."""

import io
import re
import sys
from collections.abc import Callable, Iterator

import pytest
from headwater_stores.telling import progress


class Screen(io.StringIO):
    """Standard error, as a terminal or as a file."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def lines(self) -> list[str]:
        """All that was ever a line of it."""
        return [line for line in re.split(r"[\r\n]+(?:\x1b\[K)?", self.getvalue()) if line]

    def now(self) -> list[str]:
        """What a person sees of it now."""
        return [line.rpartition("\x1b[K")[2] for line in self.getvalue().split("\n")]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


Watching = Callable[..., Screen]


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> Watching:
    """Everything is taken for long, and shown each time."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 0.0)
    monkeypatch.setattr(progress, "REFRESH_S", 0.0)

    def watch(*, is_terminal: bool = True) -> Screen:
        screen = Screen(is_terminal=is_terminal)
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return watch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(progress, "TICK_S", 60.0)
    with monkeypatch.context() as patched:
        patched.setattr(progress, "monotonic", clock)
        yield clock
