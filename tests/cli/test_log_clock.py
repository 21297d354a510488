"""A log whose clock was set back: versions keep their order in time, and the clock's own word is shown beside."""

import time
from pathlib import Path

import pytest

from tests.cli.commands import ask, headwater

DAY_NS = 86_400 * 10**9


def test_the_clock_of_the_log_is_shown_where_it_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"URL": "store", "CACHE_DIR": "cache", "ENTITY": "team", "PROJECT": "animals"}.items():
        monkeypatch.setenv(f"HEADWATER_{name}", str(tmp_path / value) if value in ("store", "cache") else value)
    file = tmp_path / "pet.txt"
    file.write_text("cat")
    now_ns = time.time_ns()
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time_ns", lambda: now_ns + DAY_NS)
        headwater("log", str(file), "-n", "pets")
    file.write_text("a dog")
    headwater("log", str(file), "-n", "pets")

    first, second = ask("show", "pets:v0"), ask("show", "pets:v1")

    assert first["created_by_log_clock"] is None
    assert second["created"] >= first["created"] > second["created_by_log_clock"]
    assert second["created_by_log_clock"] in headwater("show", "pets:v1")
