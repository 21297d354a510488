"""How much of a file this process reads."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class BytesRead:
    """Counts what is read of one file from now on."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._inode, self._count = path.stat().st_ino, 0
        for name in ("read", "pread", "readv", "preadv"):
            monkeypatch.setattr(os, name, self._counting(getattr(os, name)))

    def __call__(self) -> int:
        """How many bytes since this was last asked."""
        count, self._count = self._count, 0
        return count

    def _counting(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *arguments: Any) -> Any:
            result = really(descriptor, *arguments)
            if os.fstat(descriptor).st_ino == self._inode:
                self._count += result if isinstance(result, int) else len(result)
            return result

        return call
