"""One log gives one projection under every release of Python, whatever its Unicode, its JSON and its limits."""

import os
import re
from pathlib import Path

import pytest
from headwater_consumer.database import Database

from tests.consumer.hostile_log import write_hostile
from tests.consumer.pure_fold import records_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.pythons import NEWEST, OLDEST, SUPPORTED, VARIABLE, find_pythons, run_module

ROOT = Path(__file__).parents[2]
FOLD = ("tests.consumer.no_database", "tests.consumer.pure_fold")
FOLD_TIMEOUT_S = 120


@pytest.fixture(scope="module")
def pythons() -> dict[str, str]:
    return find_pythons()


def test_a_log_of_hostile_texts_gives_one_projection_under_every_python_that_is_here(
    tmp_path: Path, pythons: dict[str, str]
) -> None:
    history = History(MemoryLog(), Database.open_sqlite(tmp_path / "projection.db"))
    write_hostile(history)
    records = records_of(history.log)

    folded = {
        version: run_module(version, program, *FOLD, input_text=records, timeout_s=FOLD_TIMEOUT_S)
        for version, program in pythons.items()
    }

    first, *others = folded.values()
    assert all(other == first for other in others), f"some of {sorted(folded)} differ"
    assert "unknown:" in first
    assert first.count("Unicode 14.0 does not have") > 50


def test_continuous_integration_has_the_oldest_and_the_newest_python(pythons: dict[str, str]) -> None:
    """At a desk, those that are here are enough."""
    needed = {OLDEST, NEWEST} if os.environ.get("CI") == "true" else set()

    missing = sorted(needed - pythons.keys())
    assert missing == [], f"install python{' and python'.join(missing)}, or name the programs in {VARIABLE}"


def test_the_supported_releases_are_those_that_make_looks_for() -> None:
    (line,) = re.findall(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    (lowest,) = re.findall(r'^requires-python = ">=(.*)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)

    assert line.split() == [*(f"python{version}" for version in reversed(SUPPORTED)), "python3"]
    assert lowest == OLDEST
