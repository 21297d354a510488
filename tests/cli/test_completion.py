"""`headwater completion`, and what a shell is proposed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import headwater, refused

ASK = """
eval "$(headwater completion bash)"
compopt() { :; }  # a script is not being completed, so it has no options to set
COMP_LINE=$1 COMP_POINT=${#1}
_headwater_completion headwater
printf '%s\\n' "${COMPREPLY[@]}"
"""


def proposed(line: str, **environment: str) -> list[str]:
    """What bash offers for a line that somebody typed so far; nothing may be said beside it."""
    folder = os.fspath(Path(sys.executable).parent)
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", line],
        env={**os.environ, **path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def _two_artifacts(images: Path) -> None:
    headwater("log", str(images), "-n", "pets", "-a", "prod", "-t", "photos")
    headwater("log", str(images / "cat.txt"), "-n", "people")


@pytest.mark.usefixtures("_two_artifacts")
def test_bash_completes_artifacts_versions_and_aliases() -> None:
    assert proposed("headwater show pe") == ["people", "pets"]
    assert proposed("headwater show animals/pet") == ["animals/pets"]
    assert proposed("headwater show pets:") == ["latest", "prod", "v0"]  # bash keeps what is before the colon
    assert proposed("headwater diff people:v0 team/animals/pets:p") == ["prod"]
    assert proposed("headwater prune pet") == ["pets"]
    assert proposed("headwater alias pets:v0 pr") == ["prod"]
    assert proposed("headwater ls --type p") == ["photos"]
    assert proposed("headwater log cow.txt --base pe") == ["people", "pets"]
    assert proposed("headwater log cow.txt --use pe") == ["people", "pets"]


@pytest.mark.usefixtures("_two_artifacts")
def test_bash_completes_a_quoted_name_as_the_one_word_that_it_is() -> None:
    assert proposed('headwater show "pets:') == ["pets:latest", "pets:prod", "pets:v0"]
    assert proposed("headwater show 'pets:p") == ["pets:prod"]
    assert proposed('headwater log x -d "it\'s" --base pets:p') == ["prod"]


@pytest.mark.usefixtures("store")
def test_bash_completes_commands_and_options() -> None:
    assert proposed("headwater ver") == ["verify", "version"]
    assert "--delete-aliases" in proposed("headwater rm --")


@pytest.mark.usefixtures("store")
def test_where_the_store_cannot_be_asked_nothing_is_proposed_and_nothing_said(tmp_path: Path) -> None:
    assert proposed("headwater show pe") == []  # nothing was ever logged
    assert proposed("headwater show pe", HEADWATER_URL="profile:unheard-of") == []
    (tmp_path / "broken.toml").write_text("url = [")
    assert proposed("headwater show pe", HEADWATER_SETTINGS=str(tmp_path / "broken.toml")) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    assert f"_HEADWATER_COMPLETE={shell}_complete" in headwater("completion", shell)


def test_another_shell_is_told_which_there_are() -> None:
    assert "'bash', 'zsh', 'fish'" in refused("completion", "tcsh", code=2)
