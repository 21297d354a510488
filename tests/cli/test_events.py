"""`headwater events` and `headwater history`."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import ask, headwater, refused, run
from tests.support.forked import PIPE, ForkedProcess

pytestmark = pytest.mark.usefixtures("store")


def log(name: str, text: str, *more: str) -> None:
    Path("pet.txt").write_text(text)
    headwater("log", "pet.txt", "-n", name, *more)


def events(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in headwater("events", *arguments).splitlines()]


def test_each_event_is_a_line_of_json_that_can_be_gone_on_from() -> None:
    log("pets", "cat")
    log("pets", "dog", "--alias", "prod")
    everything = events()

    assert [one["type"] for one in everything].count("headwater.version-committed.v1") == 2
    assert events("--after", everything[2]["cursor"]) == everything[3:]
    assert events("-n", "2") == everything[:2]
    assert events("--after", "now") == []
    assert events("--after", "1d") == events("--after", "2020-01-31T12:00") == everything
    assert [one["data"]["version"] for one in events("--alias", "prod")] == ["v1"]
    assert len(events("--kind", "run-started", "--kind", "run-finished")) == 4
    assert events("--entity", "team") == events("animals") == everything
    assert events("team/plants") == events("--type", "model") == []


def test_a_name_goes_on_where_it_ended() -> None:
    log("pets", "cat")
    first = events("--name", "deployer", "-n", "2")
    rest = events("--name", "deployer")
    log("pets", "dog")

    assert first + rest == events()[: len(first + rest)]
    assert [one["data"].get("version") for one in events("--name", "deployer", "--kind", "version-committed")] == ["v1"]
    assert "deployer" in headwater("events", "--names")
    headwater("events", "--forget", "deployer")
    assert run("events", "--names").err == "no subscription has a name here.\n"
    assert "has no subscription 'deployer'" in refused("events", "--forget", "deployer", code=3)


@pytest.mark.on_stores  # a replay needs the log
def test_a_replay_keeps_ids_cursors_and_names() -> None:
    log("pets", "cat")
    before = events("--name", "deployer")

    headwater("replay", "--replace")
    log("pets", "dog")

    everything = events()
    assert everything[: len(before)] == before
    assert events("--name", "deployer") == events("--after", before[-1]["cursor"]) == everything[len(before) :] != []


def test_what_follows_is_printed_as_it_comes_until_ctrl_c_which_is_no_error() -> None:
    log("pets", "cat")
    command = ["-m", "headwater", "events", "--follow", "--after", "start", "--kind", "version-committed"]
    process = ForkedProcess(command, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert process.stderr is not None

    first = json.loads(process.stdout.readline())
    log("pets", "dog")
    second = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)

    assert (first["data"]["version"], second["data"]["version"]) == ("v0", "v1")
    assert process.wait(30) == 130
    assert process.stderr.read() == ""


def test_a_reader_that_goes_away_ends_it() -> None:
    log("pets", "cat")
    script = '"$0" -m headwater events | head -n 1'
    ended = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, timeout=60)

    assert json.loads(ended.stdout)["specversion"] == "1.0"
    assert ended.stderr == ""


def test_what_it_cannot_do_is_said() -> None:
    log("pets", "cat")

    assert "'soon' is no place among version events" in refused("events", "--after", "soon")
    assert "Invalid value for '--kind'" in refused("events", "--kind", "moved", code=2)
    assert "give one of them" in refused("events", "--names", "--forget", "a", code=2)
    assert "'a b'" in refused("events", "a b")


def test_the_history_of_an_artifact_is_what_happened_to_it_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    log("pets", "cat", "--alias", "prod")
    log("pets", "dog")
    headwater("alias", "pets:v1", "prod")

    told = [(one["event"], one["version"], one["alias"], one["before"]) for one in ask("history", "pets")]

    assert told == [
        ("alias-moved", "v1", "prod", "v0"),
        ("alias-moved", "v1", "latest", "v0"),
        ("version-committed", "v1", None, None),
        ("alias-moved", "v0", "prod", None),
        ("alias-moved", "v0", "latest", None),
        ("version-committed", "v0", None, None),
    ]
    monkeypatch.setenv("COLUMNS", "200")
    assert "prod, before on v0" in headwater("history", "pets")


def test_the_history_of_a_version_has_the_aliases_that_left_it() -> None:
    log("pets", "cat", "--alias", "prod")
    log("pets", "dog")
    headwater("alias", "pets:v1", "prod")
    headwater("rm", "pets:v0")

    told = [(one["event"], one["alias"]) for one in ask("history", "pets:v0")]

    assert told == [
        ("version-deleted", None),
        ("alias-moved", "prod"),
        ("alias-moved", "latest"),
        ("alias-moved", "prod"),
        ("alias-moved", "latest"),
        ("version-committed", None),
    ]
    assert ask("history", "pets:prod") == ask("history", "pets:v1")
    assert run("history", "pets", "-n", "1").err == "There is more; --limit shows it.\n"


def test_the_history_of_nothing_is_not_found() -> None:
    log("pets", "cat")

    assert "there is no artifact team/animals/trees" in refused("history", "trees", code=3)
    assert "has no version or alias 'v7'" in refused("history", "pets:v7", code=3)
