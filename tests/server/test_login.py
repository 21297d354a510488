"""`headwater login`: a token is tried, kept for its user alone, and used; `headwater logout` forgets it."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import VISION
from tests.support.forked import PIPE, ForkedProcess

END_S = 60.0
WRONG = "hw_" + "0" * 49


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    with granting(module_path / "granted") as granted:
        yield granted


@pytest.fixture(scope="module")
def token(granted: GrantedServer) -> str:
    return granted.token("ana", VISION, role="reader")


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def headwater(*arguments: str, given: str = "", code: int = 0) -> str:
    """What a command said, which read `given`."""
    process = ForkedProcess(["-m", "headwater", *arguments], stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert process.stdin is not None
    process.stdin.write(given)
    out, err = process.communicate(END_S)
    assert process.returncode == code, (out, err)
    return out + err


def kept(tmp_path: Path) -> list[Path]:
    """The files with tokens of this user."""
    return [path for path in (tmp_path / "config").rglob("*") if path.is_file()]


def test_a_token_that_is_pasted_is_kept_for_its_user_alone_and_used(
    granted: GrantedServer, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = headwater("login", granted.server.url, given=f"  {token}\n")

    (file,) = kept(tmp_path)
    assert f"{granted.server.url} knows you as headwater|ana. The token is in {file}." in said
    assert token not in said
    assert file.read_text() == f"{token}\n"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    monkeypatch.setenv("HEADWATER_URL", granted.server.url)
    assert VISION in headwater("ls", "--projects")


def test_the_server_of_the_settings_is_the_one_to_log_in_to(
    granted: GrantedServer, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_URL", f"{granted.server.url}/")
    assert "knows you as headwater|ana" in headwater("login", given=token)
    assert VISION in headwater("ls", "--projects")


def test_a_token_is_typed_on_a_terminal_without_being_shown(granted: GrantedServer, token: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "headwater", "login", granted.server.url]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = read_until(ours, b"Token for ")
    os.write(ours, f"{token}\n".encode())
    shown += read_until(ours, b"The token is in")
    assert process.wait(END_S) == 0
    os.close(ours)

    assert token.encode() not in shown
    (file,) = kept(tmp_path)
    assert file.read_text() == f"{token}\n"


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What a terminal shows, up to a text."""
    shown = b""
    while wanted not in shown:
        shown += os.read(terminal, 1024)
    return shown


@pytest.mark.parametrize("given", [WRONG, "", "no token at all"], ids=["unknown", "empty", "with spaces"])
def test_a_token_that_the_server_does_not_know_is_not_kept_and_replaces_none(
    granted: GrantedServer, token: str, tmp_path: Path, given: str
) -> None:
    said = headwater("login", granted.server.url, given=given, code=1)
    assert kept(tmp_path) == []
    assert re.search("token", said)
    assert "HEADWATER_TOKEN" not in said  # it was pasted, and no variable was set
    assert WRONG not in said

    headwater("login", granted.server.url, given=token)
    headwater("login", granted.server.url, given=given, code=1)
    (file,) = kept(tmp_path)
    assert file.read_text() == f"{token}\n"


def test_a_token_in_the_environment_counts_more(
    granted: GrantedServer, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headwater("login", granted.server.url, given=token)
    monkeypatch.setenv("HEADWATER_URL", granted.server.url)

    monkeypatch.setenv("HEADWATER_TOKEN", WRONG)
    headwater("ls", "--projects", code=1)
    monkeypatch.delenv("HEADWATER_TOKEN")
    (tmp_path / "other").write_text(WRONG)
    monkeypatch.setenv("HEADWATER_TOKEN_FILE", str(tmp_path / "other"))
    headwater("ls", "--projects", code=1)
    monkeypatch.delenv("HEADWATER_TOKEN_FILE")
    headwater("ls", "--projects")


def test_what_was_kept_is_for_that_server_alone(
    granted: GrantedServer, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headwater("login", granted.server.url, given=token)
    with granting(tmp_path / "other", recorded=False) as other:
        monkeypatch.setenv("HEADWATER_URL", other.server.url)
        headwater("ls", "--projects", code=1)


def test_logging_out_deletes_the_token(
    granted: GrantedServer, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headwater("login", granted.server.url, given=token)
    assert f"the token for {granted.server.url} is deleted" in headwater("logout", granted.server.url)
    assert kept(tmp_path) == []
    monkeypatch.setenv("HEADWATER_URL", granted.server.url)
    headwater("ls", "--projects", code=1)

    assert f"there was no token for {granted.server.url}" in headwater("logout")


def test_a_folder_is_nothing_to_log_in_to(tmp_path: Path) -> None:
    assert "does not name a headwater server" in headwater("login", str(tmp_path), given="a", code=1)
    assert "does not name a headwater server" in headwater("logout", str(tmp_path), code=1)
