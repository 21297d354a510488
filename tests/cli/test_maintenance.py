"""`headwater project` and `headwater maintain`."""

import time
from pathlib import Path

import pytest

from tests.cli.commands import ask, headwater, refused

pytestmark = pytest.mark.usefixtures("store")

DAY_NS = 86_400 * 10**9


def test_a_project_shows_its_settings_and_changes_them() -> None:
    changed = ask("project", "--draft-idle-days", "3")  # before anything was logged

    assert changed == {"project": "team/animals", "settings": {"digest_algorithm": "xxh3", "draft_idle_days": 3}}
    assert ask("project", "--project", "plants")["settings"]["draft_idle_days"] == 7
    assert "draft idle days" in headwater("project")


def test_content_is_known_by_the_algorithm_of_the_project(images: Path) -> None:
    headwater("project", "--digest-algorithm", "blake3")

    headwater("log", str(images), "-n", "pets")

    assert {entry["digest"].partition(":")[0] for entry in ask("ls", "pets:v0")} == {"blake3"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--draft-idle-days", "0"), 2, "0"),
        (("--draft-idle-days", "soon"), 2, "'soon'"),
        (("--digest-algorithm", "md5"), 2, "'md5'"),
        (("--project", "a b", "--draft-idle-days", "3"), 1, "'a b'"),
    ],
)
def test_what_cannot_be_set_is_named(arguments: tuple[str, ...], code: int, says: str) -> None:
    assert says in refused("project", *arguments, code=code)


def test_maintenance_discards_what_nobody_touched_for_the_projects_days(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headwater("log", str(images), "-n", "pets", "--distributed-id", "old")
    headwater("log", str(images), "-n", "trees", "--distributed-id", "kept", "--project", "plants")
    headwater("project", "--project", "plants", "--draft-idle-days", "30")
    assert headwater("maintain") == "No idle drafts.\n"

    now_ns = time.time_ns() + 8 * DAY_NS
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    assert ask("maintain", "--project", "plants")["discarded"] == []
    said = headwater("maintain")

    assert said == "discarded draft old of team/animals/pets with 3 entries\n"
    assert ask("drafts") == []
    assert [draft["distributed_id"] for draft in ask("drafts", "--project", "plants")] == ["kept"]
