"""One log gives one projection under every release of Python, whatever its Unicode, its JSON and its limits."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.writing.restore import ancestors_after
from headwater_consumer.writing.runner import Projector

from tests.consumer.events import DIGITS
from tests.consumer.full_log import write_everything
from tests.consumer.hostile_log import write_hostile
from tests.consumer.inspection import Databases, fingerprint_of
from tests.consumer.pure_fold import input_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.projections import project_all
from tests.support.pythons import NEWEST, OLDEST, SUPPORTED, VARIABLE, find_pythons, run_module
from tests.support.restoring import restore

ROOT = Path(__file__).parents[2]
FOLD = ("tests.consumer.no_database", "tests.consumer.pure_fold")
FOLD_TIMEOUT_S = 120
OFFSETS_ON = 4000  # where a restored log begins
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def pythons() -> dict[str, str]:
    return find_pythons()


def _golden_log(database: Database) -> MemoryLog:
    """The same log in every run: something of everything, and all that tells databases and interpreters apart."""
    history = History(MemoryLog(), database)
    write_everything(history)
    write_hostile(history)
    return history.log  # type: ignore[return-value]


def _restored(log: MemoryLog, generation: str) -> MemoryLog:
    """At other offsets, and later."""
    restored = MemoryLog(
        generation=generation, ancestors=ancestors_after(log), start_us=log.time_us + HOUR_US, first_offset=OFFSETS_ON
    )
    restore(log, restored, timeout_s=0)
    return restored


def _go_on(log: MemoryLog, database: Database) -> None:
    """Write to a restored log."""
    history = History(log, database)
    history.writer("later").write(*history.draft(DIGITS, {"later": b"1"})[1])
    history.commit(DIGITS, {"later": b"2"}, base=0, tags=("later",), by="later still")


def _fingerprints(log: MemoryLog, databases: list[Databases]) -> set[str]:
    found = set()
    for of in databases:
        with of.empty() as database:
            project_all(log, Projector(log, database))
            found.add(fingerprint_of(database))
    return found


def test_one_hostile_log_has_one_fingerprint_on_every_database_under_every_python_and_after_a_restore(
    pythons: dict[str, str], modes: tuple[str, ...], databases_of: Callable[[str], Databases]
) -> None:
    databases = [databases_of(mode) for mode in modes]
    with databases[0].empty() as database:
        first = _golden_log(database)
        of_first = {fingerprint_of(database)}
    second = _restored(first, "second")
    assert _fingerprints(first, databases) == _fingerprints(second, databases) == of_first

    with databases[0].empty() as database:
        _go_on(second, database)
    third = _restored(second, "third")
    of_third = _fingerprints(second, databases) | _fingerprints(third, databases)
    assert len(of_third) == 1
    assert of_third != of_first

    for log, expected in ((first, of_first), (third, of_third)):
        given = input_of(log)
        folded = {
            version: run_module(version, program, *FOLD, input_text=given, timeout_s=FOLD_TIMEOUT_S)
            for version, program in pythons.items()
        }
        one, *others = folded.values()
        assert all(other == one for other in others), f"some of {sorted(folded)} differ"
        assert {json.loads(one)["fingerprint"]} == expected
    assert "unknown:" in one
    assert one.count("Unicode 14.0 does not have") > 50


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
