"""`headwater retention`, and what `headwater maintain` does by it."""

import json
import os
import pty
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater_schemas.errors import InvalidInput, NotFound

from tests.cli.commands import ask, refused, run
from tests.cli.commands import headwater as command
from tests.cli.terminals import read_all
from tests.faults.stores import check_replay
from tests.support.forked import PIPE, ForkedProcess
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store")

DAY_NS = 86_400 * 10**9
VERSIONS = 5
PETS = "team/animals/pets"


def log(text: str, name: str = "pets", **attributes: Any) -> headwater.Artifact:
    artifact = headwater.Artifact(name, "dataset")
    with artifact.new_file("a.txt") as file:
        file.write(text)
    for attribute, value in attributes.items():
        setattr(artifact, attribute, value)
    return artifact.save()


@pytest.fixture
def pets(store: StoreUnderTest) -> None:
    """Versions v0 to v4, of which v1 is `prod`."""
    for n in range(VERSIONS):
        log(f"cat {n}", aliases=["prod"] if n == 1 else [])


@pytest.fixture
def operator(store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command on the store itself, also behind a server: its code, what it printed, and what as JSON."""

    def run_there(*arguments: str) -> Any:
        with monkeypatch.context() as there:
            if store.is_folder:
                there.setenv("HEADWATER_URL", str(store.folder))
            return run(*arguments)

    return run_there


def maintained(operator: Any, *arguments: str, code: int = 0) -> Any:
    done = operator("maintain", *arguments, "--json")
    assert done.code == code, done
    return json.loads(done.out)


def deleted(report: Any) -> dict[str, str]:
    return {one["version"].removeprefix("team/animals/"): one["rule"] for one in report["versions_deleted"]}


def versions(name: str = "pets") -> list[str]:
    return [found.version for found in headwater.Api().artifact_versions("dataset", name)]


@contextmanager
def later(monkeypatch: pytest.MonkeyPatch, days: float) -> Iterator[None]:
    now_ns = time.time_ns() + int(days * DAY_NS)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: now_ns)
        yield


@pytest.mark.usefixtures("pets")
def test_setting_a_policy_shows_what_it_deletes_and_maintenance_does_that(operator: Any) -> None:
    said = command("retention", "set", "--keep-last", "3", "--message", "save space")
    assert said.splitlines() == [
        "set the policy for the project: keep last 3",
        "the next `headwater maintain`:",
        f"  would delete {PETS}:v0: not among the newest 3",
        f"  would delete {PETS}:v1: not among the newest 3",
        f"  would delete 2 of 5 versions of {PETS}; 10 B can be reclaimed by a later `headwater gc`",
    ]
    assert len(versions()) == VERSIONS

    dry, done = maintained(operator, "--dry-run"), maintained(operator)

    assert deleted(dry) == deleted(done) == dict.fromkeys(("pets:v0", "pets:v1"), "not among the newest 3")
    assert dry["bytes_freed"] == done["bytes_freed"] == 10
    assert versions() == ["v4", "v3", "v2"]
    assert maintained(operator)["versions_deleted"] == []


@pytest.mark.usefixtures("pets")
def test_history_and_errors_say_by_whom_and_why_a_version_was_deleted_and_it_can_be_restored(operator: Any) -> None:
    command("retention", "set", "pets", "--keep-last", "3")
    maintained(operator)

    (event,) = [event for event in ask("history", "pets:v0") if event["event"] == "version-deleted"]
    assert event["message"] == "not among the newest 3"
    assert f"was deleted by {event['author']}: not among the newest 3" in refused("show", "pets:v0", code=3)
    assert command("restore", "pets:v0") == f"restored {PETS}:v0\n"
    assert maintained(operator)["versions_deleted"] == []
    assert ask("show", "pets:v0")["kept"][0].startswith("restored on ")


@pytest.mark.usefixtures("pets")
def test_a_dry_run_changes_nothing(operator: Any) -> None:
    command("retention", "set", "--keep-last", "3", "--dry-run")
    assert ask("retention", "show") == []

    command("retention", "set", "--keep-last", "3")
    command("project", "--draft-idle-days", "1")
    before = ask("history", "pets")
    said = operator("maintain", "--dry-run")

    assert f"would delete 2 of 5 versions of {PETS}" in said.out
    assert (len(versions()), ask("history", "pets")) == (VERSIONS, before)
    assert operator("maintain", "--dry-run", "--heal").code == 2


def test_a_time_to_live_deletes_even_the_latest_version_and_what_was_latest_before_is_so_again(
    operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log("one")
    log("two")
    command("describe", "pets:v1", "--ttl", "7d")
    assert "by its time to live" in command("show", "pets:v1")

    with later(monkeypatch, 6):
        assert maintained(operator)["versions_deleted"] == []
    with later(monkeypatch, 8):
        assert "with the next `headwater maintain`: its time to live of 7d is over" in command("show", "pets:v1")
        assert deleted(maintained(operator)) == {"pets:v1": "its time to live of 7d is over"}

    assert headwater.Api().artifact("pets:latest").version == "v0"


@pytest.mark.usefixtures("pets")
def test_protected_aliases_and_recalled_versions_are_kept_and_named(operator: Any) -> None:
    command("project", "--protect", "prod")
    command("retention", "set", "--keep-last", "3")

    said = operator("maintain")

    assert f"kept {PETS}:v1: alias prod is protected" in said.out
    assert versions() == ["v4", "v3", "v2", "v1"]
    assert ask("show", "pets:v1")["kept"] == ["alias prod is protected"]


def test_a_policy_that_deletes_most_of_an_artifact_leaves_it_alone_until_somebody_says_yes(operator: Any) -> None:
    for n in range(8):
        log(f"cat {n}")
    log("one", "dogs")
    log("two", "dogs")
    assert "--yes" in command("retention", "set", "--keep-last", "1")

    report = maintained(operator, code=1)

    assert report["left_alone"] == [PETS]
    assert (len(versions()), versions("dogs")) == (8, ["v1"])  # the others are done
    said = operator("maintain")
    assert said.code == 1
    assert f"left {PETS} alone: its policy would delete 7 of 8 versions." in said.out
    assert len(deleted(maintained(operator, "--dry-run"))) == 7
    assert len(deleted(maintained(operator, "--yes"))) == 7
    assert versions() == ["v7"]


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 1), ("n", 1, 8)])
def test_in_a_terminal_one_is_asked_and_sees_what_would_go(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int
) -> None:
    for n in range(8):
        log(f"cat {n}")
    command("retention", "set", "--keep-last", "1")
    if store.is_folder:
        monkeypatch.setenv("HEADWATER_URL", str(store.folder))
    terminal, inside = pty.openpty()

    with open(inside, "r+b", buffering=0) as screen:
        process = ForkedProcess(["-m", "headwater", "maintain"], stdin=screen, stdout=PIPE, stderr=screen)
    os.write(terminal, f"{answer}\n".encode())
    seen = read_all(terminal).decode()
    out, _ = process.communicate(60)

    assert process.returncode == code, (out, seen)
    assert f"would delete {PETS}:v0: not among the newest 1" in seen
    assert f"Delete 7 versions of {PETS}? [y/N]" in seen
    assert len(versions()) == left


@pytest.mark.on_stores
@pytest.mark.usefixtures("pets")
def test_a_replay_of_what_retention_did_gives_the_same(operator: Any, store: StoreUnderTest) -> None:
    command("retention", "set", "--keep-last", "2")
    maintained(operator)
    command("retention", "remove")

    with store.opened() as stores:
        check_replay(stores)


def test_policies_are_shown_with_who_set_them_and_why_and_what_was_before() -> None:
    command("retention", "set", "--keep-last", "9", "-m", "first")
    command("retention", "set", "--keep-newer-than", "90d", "--keep-used", "-m", "better")
    command("retention", "set", "scratch-*", "--keep-last", "1")
    command("retention", "remove", "scratch-*", "-m", "no more")

    (policy,) = ask("retention", "show")
    assert (policy["name"], policy["rules"]) == ("*", {"keep_newer_than": "90d", "keep_used": True})
    assert policy["message"] == "better"
    changes = [(one["name"], one["rules"], one["message"]) for one in ask("retention", "show", "--history")]
    assert [message for _, _, message in changes] == ["no more", None, "better", "first"]
    assert changes[0] == ("scratch-*", None, "no more")
    assert "keep newer than 90d" in command("retention", "show")


def test_which_policy_counts_for_an_artifact_can_be_asked() -> None:
    command("retention", "set", "--keep-last", "9")
    command("retention", "set", "pet*", "--keep-all")

    assert [one["name"] for one in ask("retention", "show", "pets")] == ["pet*"]
    assert [one["name"] for one in ask("retention", "show", "dogs")] == ["*"]
    command("retention", "remove")
    assert "no retention policy for team/animals/dogs" in run("retention", "show", "dogs").err


FILE = """[project]
keep_last = 10
keep_aliased = true

[collections."pet*"]
keep_newer_than = "90d"

[collections.dogs]
keep_all = true
"""


def test_a_file_is_applied_and_written_again_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "retention.toml"
    file.write_text(FILE)
    command("retention", "set", "old-*", "--keep-last", "1")
    assert "would set the policy for dogs" in command("retention", "apply", str(file), "--dry-run")

    applied = ask("retention", "apply", str(file))
    again = ask("retention", "apply", str(file))

    assert (sorted(applied["changed"]), applied["left"]) == (["*", "dogs", "pet*"], ["old-*"])
    assert again["changed"] == {}
    assert len(ask("retention", "show", "--history")) == 4
    pruned = ask("retention", "apply", str(file), "--prune")
    assert pruned["changed"] == {"old-*": None}
    shown = command("retention", "show", "--toml")
    file.write_text(shown)
    assert ask("retention", "apply", str(file), "--prune")["changed"] == {}
    assert sorted(shown.strip().split("\n\n")) == sorted(FILE.strip().split("\n\n"))


WRONG_FILES = {
    "keep_last = 5": "line 1: keep_last: 'keep_last' is nothing that a file of policies has",
    "[project]\nkeep_lst = 5": "line 2: project.keep_lst: 'keep_lst' is no rule of retention. Use one of: keep_last",
    "[project]\nkeep_last = 5\n\n[collections.pets]\nkeep_last = 'x'": "line 5: collections.pets.keep_last: the rule",
    "[project]\nkeep_newer_than = '90 days'": "Use a time such as 12h, 90d or 4w",
    "[collections]\npets = 5": "line 2: collections.pets: a policy is a table of rules, not 5",
    '[collections."a/b"]\nkeep_last = 1': "line 1: collections.\"a/b\": artifact name 'a/b' contains '/'",
    '[collections."*"]\nkeep_last = 1': "write [project]",
    "[project]": "line 1: project: a policy needs a rule",
    "[project]\nkeep_last = 1\nkeep_last = 2": "retention.toml is not TOML: Cannot overwrite a value",
    "[policies]\n": "line 1: policies: 'policies' is nothing that a file of policies has",
}


@pytest.mark.parametrize("text", WRONG_FILES)
def test_what_is_wrong_in_a_file_is_named_with_its_line_and_changes_nothing(text: str, tmp_path: Path) -> None:
    file = tmp_path / "retention.toml"
    file.write_text(text)

    assert WRONG_FILES[text] in refused("retention", "apply", str(file))
    assert ask("retention", "show") == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("set",), 1, "a policy needs a rule"),
        (("set", "--keep-last", "0"), 2, "0"),
        (("set", "--keep-newer-than", "soon"), 1, "keep_newer_than cannot be 'soon'"),
        (("set", "a/b", "--keep-last", "1"), 1, "'a/b'"),
        (("remove", "pets"), 3, "team/animals has no retention policy for pets. It has none."),
        (("apply", "nowhere.toml"), 1, "nowhere.toml cannot be read"),
        (("show", "pets", "--toml"), 2, "exclude each other"),
    ],
)
def test_what_cannot_be_done_is_named(arguments: tuple[str, ...], code: int, says: str) -> None:
    assert says in refused("retention", *arguments, code=code)


@pytest.mark.usefixtures("pets")
def test_the_api_sets_shows_and_previews_policies() -> None:
    api = headwater.Api()
    api.set_retention_policy("pets", keep_last=4, keep_newer_than=timedelta(seconds=1), keep_used=True, message="why")

    (policy,) = api.retention_policies()
    assert (policy.name, policy.keep_last, policy.keep_used, policy.message) == ("pets", 4, True, "why")
    assert policy.keep_newer_than == timedelta(seconds=1)
    api.set_retention_policy("pets", keep_last=4)
    assert api.retention_preview().deleted == {f"{PETS}:v0": "not among the newest 4"}
    assert api.retention_preview().bytes_freed == 5
    api.remove_retention_policy("pets")
    assert (api.retention_policies(), api.retention_preview().deleted) == ([], {})
    with pytest.raises(NotFound, match="no retention policy of the name 'pets'"):
        api.remove_retention_policy("pets")
    with pytest.raises(InvalidInput, match="a policy needs a rule"):
        api.set_retention_policy()
    with pytest.raises(InvalidInput, match="keep_newer_than must be a timedelta"):
        api.set_retention_policy(keep_newer_than=timedelta(0))
