"""Files that change while they are read: right after a piece of them was read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

_CALLS = ("read", "pread", "readv", "preadv")


class ChangingFiles:
    """Changes files as soon as somebody has read from them in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._changes: dict[int, list[Callable[[], object]]] = {}  # by inode, in reverse order
        for name in _CALLS:
            monkeypatch.setattr(os, name, self._changing(getattr(os, name)))

    def change(self, path: Path, change: Callable[[], object], *, times: int = 1) -> None:
        """Call `change` after each of the next `times` reads from the file at `path`."""
        self._changes[path.stat().st_ino] = [change] * times

    @property
    def is_over(self) -> bool:
        """Whether every change was made."""
        return not any(self._changes.values())

    def _changing(self, really: Callable[..., object]) -> Callable[..., object]:
        def read(descriptor: int, *arguments: object) -> object:
            result = really(descriptor, *arguments)
            changes = self._changes.get(os.fstat(descriptor).st_ino)
            if changes:
                changes.pop()()
            return result

        return read
