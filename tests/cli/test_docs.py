"""docs/command-line.md: its examples run, and it says what programs get."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import COMMANDS, ask, headwater, run

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text("utf-8")
KEYS = {row[1]: set(re.findall(r"`(\w+)`", row[2])) for row in re.finditer(r"(?m)^\| `([^`|]+)` \| (.+) \|$", PAGE)}

ASKED = {
    "log": ("log", "images", "-n", "pets"),
    "ls": ("ls",),
    "ls --projects": ("ls", "--projects"),
    "ls NAME": ("ls", "pets"),
    "ls NAME:VERSION": ("ls", "pets:v0"),
    "show": ("show", "pets"),
    "diff": ("diff", "pets:v0", "other"),
    "get": ("get", "pets", "out"),
    "verify": ("verify", "pets", "out"),
    "alias": ("alias", "pets", "prod"),
    "tag": ("tag", "pets", "raw"),
    "describe": ("describe", "pets", "-d", "All"),
    "lineage": ("lineage", "pets"),
    "history": ("history", "pets"),
    "runs": ("runs",),
    "runs RUN": ("runs", "worker"),
    "rm": ("rm", "pets:v0", "--dry-run"),
    "prune": ("prune", "pets", "--keep", "1"),
    "restore": ("restore", "pets:v0"),
    "usage": ("usage",),
    "usage --project": ("usage", "--project", "animals"),
    "usage NAME": ("usage", "pets"),
    "usage NAME:VERSION": ("usage", "pets:v0"),
    "gc": ("gc", "--dry-run"),
    "archive": ("archive",),
    "archive --check": ("archive", "--check"),
    "export": ("export", "pets", "-o", "pets.zip"),
    "drafts": ("drafts", "--discard", "job"),  # the keys of a draft, and the one above them
    "project": ("project",),
    "access grant": ("access", "grant", "ana", "reader", "team"),
    "access list": ("access", "list", "team"),
    "access revoke": ("access", "revoke", "ana", "team"),
    "token create": ("token", "create", "ben", "team", "--role", "writer"),
    "token list": ("token", "list", "team"),
    "webhooks add": ("webhooks", "add", "team", "https://example.org/hook"),
    "webhooks list": ("webhooks", "list", "team"),
    "maintain": ("maintain",),
    "retention set": ("retention", "set", "--keep-last", "1"),
    "retention show": ("retention", "show"),
    "version": ("version",),
    "doctor": ("doctor",),
    "replay": ("replay",),
}
# What has the keys of another, and more.
MORE_THAN = {"show": "ls NAME", "runs RUN": "runs", "usage NAME": "usage NAME:VERSION", "webhooks add": "webhooks list"}


def keys_in(answer: Any) -> set[str]:
    """All keys of an answer and of the lists in it; metadata and the like are the user's own."""
    if isinstance(answer, list):
        return set().union(*map(keys_in, answer))
    if not isinstance(answer, dict):
        return set()
    return set(answer).union(*[keys_in(value) for value in answer.values() if isinstance(value, list)])


def test_every_command_stands_on_the_page() -> None:
    for command in COMMANDS:
        assert re.search(rf"headwater {command}\b", PAGE), command


@pytest.mark.on_stores
def test_programs_get_the_keys_that_the_page_says(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_SERVER_KEY_FILE", str(tmp_path / "server.key"))  # of which webhooks derive secrets
    headwater("setup")
    headwater("log", str(images / "cat.txt"), "-n", "other", "-d", "One", "--run", "worker")
    headwater("log", str(images / "cat.txt"), "-n", "open", "--distributed-id", "job")

    for name, arguments in ASKED.items():
        said = KEYS[name] | KEYS.get(MORE_THAN.get(name, ""), set())
        assert said, name
        assert keys_in(ask(*arguments)) == said, name


@pytest.mark.on_stores
def test_every_command_that_answers_takes_json(images: Path) -> None:
    headwater("log", str(images), "-n", "pets")

    assert {name.partition(" ")[0] for name in ASKED} | {"dead-letters", "restore-log", "copy", "import"} == set(
        COMMANDS
    ) - {
        "completion",
        "events",
        "health",
        "login",
        "logout",
        "projector",
        "relay",
        "server",
        "setup",
        "ui",
    }
    assert ask("dead-letters") == []


def test_what_is_said_to_people_never_mixes_with_an_answer(images: Path) -> None:
    done = run("log", str(images), "-n", "pets", "--json")

    assert json.loads(done.out)["version"] == "v0"
    assert "3 of 3 files new" in done.err
