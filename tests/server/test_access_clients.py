"""`headwater access` and `headwater token` through a server: an admin gives and takes, and it counts at once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import ask, refused, run
from tests.cli.commands import headwater as command
from tests.server.granted import GrantedServer, granting
from tests.server.recorded import AUDIO, VISION
from tests.support.serving import until

PATH = f"/v1/projects/{VISION}"


@pytest.fixture
def granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GrantedServer]:
    """A server that the command line talks to, as an admin of VISION."""
    monkeypatch.setenv("HEADWATER_CACHE_DIR", str(tmp_path / "cache"))
    with granting(tmp_path / "store") as granted:
        monkeypatch.setenv("HEADWATER_URL", granted.server.url)
        monkeypatch.setenv("HEADWATER_TOKEN", granted.token("ada", VISION, "admin"))
        yield granted


def test_a_token_that_an_admin_makes_counts_and_ends_when_the_command_does(granted: GrantedServer) -> None:
    made = ask("token", "create", "bob", VISION, "--role", "reader")
    assert granted.status(PATH, made["token"]) == 200
    assert {one["principal"] for one in ask("token", "list", VISION)} == {"headwater|ada", "headwater|bob"}

    command("token", "revoke", made["id"])

    assert granted.status(PATH, made["token"]) == 401


def test_a_role_that_an_admin_takes_is_gone_when_the_command_returns(granted: GrantedServer) -> None:
    token = ask("token", "create", "bob", VISION, "--role", "reader")["token"]
    assert granted.status(PATH, token) == 200

    command("access", "revoke", "bob", VISION)
    assert granted.status(PATH, token) == 404

    given = ask("access", "grant", "bob", "writer", VISION)
    assert granted.status(PATH, token) == 200
    assert (given["role"], given["granted_by"]) == ("writer", "headwater|ada")


def test_an_admin_of_a_project_gives_nothing_elsewhere(granted: GrantedServer) -> None:
    for scope in ("team", AUDIO, "team/nowhere"):
        assert f"there is no {'project' if '/' in scope else 'entity'} {scope}" in refused(
            "access", "grant", "bob", "reader", scope, code=3
        )
    assert ask("access", "list", "team") == ask("access", "list", AUDIO) == []


@pytest.mark.parametrize("listed", ["ls", "runs", "drafts"])
def test_a_list_of_what_one_may_not_read_says_what_one_can_know(granted: GrantedServer, listed: str) -> None:
    there, nowhere = (run(listed, "--entity", "team", "--project", name) for name in ("audio", "nowhere"))

    assert "team/audio has no" in there.err
    assert "or none that you may read" in there.err
    assert there.err.replace("audio", "nowhere") == nowhere.err, "the two cannot be told apart"


def test_who_is_no_admin_neither_gives_nor_lists(granted: GrantedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_TOKEN", granted.token("max", VISION, "maintainer"))

    assert "needs the role admin" in refused("access", "grant", "max", "admin", VISION, code=1)
    for listing in ("access", "token"):
        assert f"needs the role admin in {VISION}" in refused(listing, "list", VISION, code=1)


def test_a_token_that_is_none_is_told_so_in_one_line(granted: GrantedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_TOKEN", "hw_nonsense")

    said = refused("ls", code=1)

    assert "the token is not whole" in said
    assert "hw_nonsense" not in said
    assert len(said.splitlines()) == 1


def test_when_a_token_was_used_last_is_shown_to_who_has_the_store_and_to_admins(granted: GrantedServer) -> None:
    made = granted.operator.create_token("bob", VISION, role="reader")
    assert granted.status(PATH, made.text) == 200

    def used() -> list[bool]:
        """Of bob's token: by the operator, by an admin's command line, and by JSON."""
        (of_store,) = [one for one in granted.operator.tokens(VISION) if one.id == made.id]
        (of_command,) = [one for one in ask("token", "list", VISION) if one["id"] == made.id]
        listed = granted.server.get(f"/v1/tokens?scope={VISION}", token=os.environ["HEADWATER_TOKEN"])["items"]
        (of_server,) = [one for one in listed if one["id"] == made.id]
        return [of_store.last_used_at is not None, bool(of_command["last_used"]), bool(of_server["last_used"])]

    until(lambda: used() == [True] * 3)
