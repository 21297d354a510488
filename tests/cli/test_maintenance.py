"""`headwater project` and `headwater maintain`."""

import time
from datetime import datetime
from pathlib import Path

import pytest
from headwater._commit.client import client_for
from headwater_schemas.events import BlobsCondemned, RunStarted
from headwater_schemas.keys import first_session
from headwater_stores.config.settings import read_settings

from tests.cli.commands import ask, headwater, refused
from tests.support.history import Writer, pack_of
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")

# Projects that are begun through a server are begun with BLAKE3.
begins_with_xxh3 = pytest.mark.on_stores
DAY_NS = 86_400 * 10**9
DAY_MS = 86_400_000
DEFAULTS = {"digest_algorithm": "xxh3", "draft_idle_days": 7, "restore_days": 30, "protected_aliases": []}


def test_a_project_shows_its_settings_and_changes_them() -> None:
    changed = ask("project", "--draft-idle-days", "3")  # before anything was logged

    assert changed == {"project": "team/animals", "settings": {**DEFAULTS, "draft_idle_days": 3}}
    assert ask("project", "--project", "plants")["settings"]["draft_idle_days"] == 7
    assert "draft idle days" in headwater("project")


def test_content_is_known_by_the_algorithm_of_the_project(images: Path) -> None:
    headwater("project", "--digest-algorithm", "blake3")

    headwater("log", str(images), "-n", "pets")

    assert {entry["digest"].partition(":")[0] for entry in ask("ls", "pets:v0")} == {"blake3"}


@begins_with_xxh3
def test_the_first_version_of_a_project_fixes_its_algorithm(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")

    said = refused("project", "--digest-algorithm", "blake3", "--draft-idle-days", "3", code=1)

    assert "team/animals uses the digest algorithm xxh3" in said
    assert ask("project")["settings"] == DEFAULTS
    assert ask("project", "--digest-algorithm", "xxh3")["settings"]["digest_algorithm"] == "xxh3"


@begins_with_xxh3
def test_an_algorithm_that_was_chosen_is_not_chosen_again() -> None:
    headwater("project", "--digest-algorithm", "blake3")

    assert "cannot change" in refused("project", "--digest-algorithm", "xxh3", code=1)
    assert ask("project")["settings"]["digest_algorithm"] == "blake3"


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


@pytest.mark.on_stores
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


@pytest.mark.on_stores
def test_maintenance_ends_sessions_that_began_long_ago(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    log, now_ms = client_for(read_settings(), create=False).stores.log, time.time_ns() // 10**6
    old = Writer(log, "old")
    old.session = first_session(now_ms - 10 * DAY_MS)
    old.write(RunStarted(run="team/animals/r"))

    assert ask("maintain")["sessions_retired_before"] is None
    assert ask("maintain", "--retire-sessions-days", "5", "--project", "animals")["sessions_retired_before"] is None
    assert ask("maintain", "--retire-sessions-days", "11")["sessions_retired_before"] is None
    said = headwater("maintain", "--retire-sessions-days", "5")

    first, line = said.splitlines()
    begins, _, before = line.rpartition(" ")
    assert (first, begins) == ("No idle drafts.", "ended the sessions that began before")
    assert abs(datetime.fromisoformat(before).timestamp() * 1000 - (now_ms - 5 * DAY_MS)) < DAY_MS / 2
    assert ask("maintain", "--retire-sessions-days", "5")["sessions_retired_before"] is None
    assert "pets:v0" in headwater("show", "pets")
    assert "x>=2" in refused("maintain", "--retire-sessions-days", "1", code=2)


@pytest.mark.on_stores
def test_maintenance_heals_only_when_it_is_told_to(images: Path, store: StoreUnderTest) -> None:
    headwater("log", str(images), "-n", "pets")
    for name in store.objects():
        store.remove(name)

    assert ask("maintain")["contents_lost"] is None
    healed = ask("maintain", "--heal", "--project", "animals")
    assert (healed["contents_healed"], healed["contents_lost"]) == (0, 3)
    assert "stored 0 lost contents anew" in headwater("maintain", "--heal", "--verify", "--project", "plants")
    assert "3 lost contents without a copy" in headwater("maintain", "--heal")
    assert "--heal" in refused("maintain", "--verify", code=2)


@pytest.mark.on_stores
def test_maintenance_completes_what_a_killed_process_wrote_to_one_partition(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")
    log = client_for(read_settings(), create=False).stores.log
    event = BlobsCondemned(broadcast="1" * 32, project="team/animals", objects=(pack_of("team/animals"),))
    log.append([Writer(log, "killed").stamp(event)._replace(partition=0)], timeout_s=30)

    assert ask("maintain", "--project", "plants")["broadcasts_finished"] == 0
    assert ask("maintain")["broadcasts_finished"] == log.partitions - 1
    assert ask("maintain")["broadcasts_finished"] == 0
