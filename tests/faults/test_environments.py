"""Environments that are not like one's own, as in containers and on clusters: every error that comes out is ours.

Every command and every public call is tried in each; see `tests.support.every_call`, which finds them by itself.
"""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import headwater
import pytest
from headwater.cli import cli

from tests.faults.processes import ROOT, WAIT_S, Ended
from tests.support.forked import PIPE, ForkedProcess

NO_ACCOUNT = 54329  # a user id
TRY_ALL = """
import os, sys
from contextlib import suppress
from importlib import import_module, util
from tests.support.as_user import become, import_all
import_all()
for name in {modules}:
    with suppress(ImportError):
        import_module(name)
calls = util.find_spec("tests.support.every_call").loader.get_code("tests.support.every_call")
if os.geteuid() == 0 and {user}:
    become({user}, [{user}], 0o022)
if {is_gone}:
    os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
exec(calls, {{"__name__": "__main__"}})
"""


@dataclass(frozen=True)
class Hostile:
    """What is different from a usual environment."""

    variables: dict[str, str] = field(default_factory=dict)  # "" to unset one; {place} is the folder of the test
    is_gone: bool = False  # the current folder was removed
    has_account: bool = False


ENVIRONMENTS = {
    "no account and no home": Hostile({"HOME": ""}),
    "no account, and nothing is set": Hostile(
        {"HOME": "", "HEADWATER_URL": "", "HEADWATER_CACHE_DIR": "", "HEADWATER_ENTITY": ""}
    ),
    "the current folder is gone": Hostile(is_gone=True, has_account=True),
    "a relative store in a folder that is gone": Hostile({"HEADWATER_URL": "./store"}, is_gone=True),
    "the store is a file": Hostile({"HEADWATER_URL": "{place}/file"}),
    "the store is below a file": Hostile({"HEADWATER_URL": "{place}/file/store"}),
    "the cache is below a file": Hostile({"HEADWATER_CACHE_DIR": "{place}/file/cache"}),
    "the store cannot be written": Hostile({"HEADWATER_URL": "{place}/read-only"}),
    "the store cannot be entered": Hostile({"HEADWATER_URL": "{place}/locked/store"}),
    "there is no store yet": Hostile({"HEADWATER_URL": "{place}/new"}),
    "the settings are missing": Hostile({"HEADWATER_SETTINGS": "{place}/nothing.toml"}),
}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that other users can enter, with a filled store to copy, and things in the way."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-environments-"))
    folder.chmod(0o755)
    (folder / "file").touch()
    (folder / "locked").mkdir()
    (folder / "filled").mkdir()
    (folder / "filled" / "data").mkdir()
    (folder / "filled" / "data" / "small.txt").write_text("small")
    filling = """
import headwater
with headwater.init(id="first") as run:
    artifact = headwater.Artifact("pets", "dataset")
    artifact.add_dir("data")
    run.log_artifact(artifact)
"""
    _run(folder / "filled", ["-c", filling], _variables(folder, folder / "filled")).succeeded()
    shutil.copytree(folder / "filled" / "store", folder / "read-only")
    (folder / "locked").chmod(0)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def usual(place: Path) -> Any:
    """What every command and call does in a usual environment, and which modules they load."""
    own = place / "usual"
    shutil.copytree(place / "filled", own)
    ended = _run(own, ["-m", "tests.support.every_call"], _variables(place, own)).succeeded()
    return json.loads(ended.out.splitlines()[-1])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_error_of_every_command_and_call_is_one_of_ours(place: Path, usual: dict[str, Any], name: str) -> None:
    hostile = ENVIRONMENTS[name]
    own = place / name.replace(" ", "-").replace(",", "")
    shutil.copytree(place / "filled", own)
    if os.geteuid() == 0:
        for path in (own, *own.rglob("*")):
            os.chown(path, NO_ACCOUNT, NO_ACCOUNT)
    variables = _variables(place, own)
    for variable, value in hostile.variables.items():
        variables[variable] = value.format(place=place)
    environment = {variable: value for variable, value in variables.items() if value}
    user = 0 if hostile.has_account else NO_ACCOUNT
    program = TRY_ALL.format(modules=usual["modules"], user=user, is_gone=hostile.is_gone)

    tried = json.loads(_run(own, ["-c", program], environment).succeeded().out.splitlines()[-1])

    assert tried["wrong"] == []
    assert set(tried["commands"]) == set(cli.list_commands(click.Context(cli)))
    assert {f"headwater.{name}" for name in ("Api", "Artifact", "init")} <= set(tried["calls"])


def test_the_usual_environment_reaches_every_kind_of_object(usual: dict[str, Any]) -> None:
    assert usual["wrong"] == []
    kinds = {name.partition(".")[0] for name in usual["calls"]}
    assert kinds >= {"headwater", "Api", "Artifact", "ArtifactCollection", "ArtifactType", "Entry", "Run", "Table"}
    called = {f"Artifact.{name}" for name in ("download", "checkout", "verify", "add_file", "add_dir", "new_draft")}
    assert called <= set(usual["calls"])
    public = {f"headwater.{name}" for name in headwater.__all__ if callable(getattr(headwater, name))}
    assert public - {"headwater.Run", "headwater.HeadwaterError"} <= set(usual["calls"])


def _variables(place: Path, own: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(own),
        "HEADWATER_URL": str(own / "store"),
        "HEADWATER_CACHE_DIR": str(own / "cache"),
        "HEADWATER_ENTITY": "team",
        "HEADWATER_PROJECT": "p",
        "HEADWATER_QUIET": "true",
        "TMPDIR": tempfile.gettempdir() if _is_open(Path(tempfile.gettempdir())) else str(place),
    }


def _is_open(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IWOTH)


def _run(folder: Path, arguments: list[str], environment: dict[str, str]) -> Ended:
    process = ForkedProcess(arguments, cwd=folder, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, err = process.communicate(timeout=WAIT_S)
    return Ended(process.returncode, out, err)
