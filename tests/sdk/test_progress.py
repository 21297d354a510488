"""What is shown while a download takes long: how far it is, in a terminal and nowhere else."""

import io
import os
import sys
from pathlib import Path

import pytest
from headwater import _progress

from tests.sdk.downloads import LARGE, logged

pytestmark = pytest.mark.usefixtures("store")


class Screen(io.StringIO):
    """Standard error, as a terminal or as a file."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def printed_by_download(root: Path, monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> str:
    """What a download shows that takes long by what is taken for long here."""
    monkeypatch.setattr(_progress, "SHOW_AFTER_S", 0.0)
    artifact = logged({"README": b"what this is", "large.bin": os.urandom(4 * LARGE)})
    screen = Screen(is_terminal=is_terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    artifact.download(root)
    return screen.getvalue()


def test_a_download_that_takes_long_shows_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = printed_by_download(tmp_path / "root", monkeypatch, is_terminal=True)

    assert "headwater: downloading" in printed
    assert "/4.2 MB" in printed


def test_nothing_is_shown_where_there_is_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed_by_download(tmp_path / "root", monkeypatch, is_terminal=False) == ""


def test_nothing_is_shown_to_those_who_want_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_QUIET", "true")

    assert printed_by_download(tmp_path / "root", monkeypatch, is_terminal=True) == ""
