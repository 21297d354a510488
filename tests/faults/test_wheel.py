"""What is shipped works: the wheel, in an environment with nothing else of ours, runs the README's first example."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults.processes import ROOT

INSTALL_WAIT_S = 240  # a first download of the dependencies


@pytest.mark.slow
def test_the_wheel_in_a_clean_environment_runs_the_readmes_first_example_twice(
    tmp_path: Path, outside_environment: Mapping[str, str]
) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    run(build, tmp_path, outside_environment)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    constraints = str(ROOT / "constraints.txt")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", constraints, str(wheel)]
    run(install, tmp_path, outside_environment)
    example = tmp_path / "example.py"
    example.write_text(first_example(), "utf-8")
    environment = {"HOME": str(tmp_path), "PATH": outside_environment["PATH"], "HEADWATER_URL": str(tmp_path / "store")}

    first = run([python, str(example)], tmp_path, environment)
    again = run([python, str(example)], tmp_path, environment)

    assert (tmp_path / "images-as-they-were" / "dog.txt").read_text() == "a dog"
    assert first.stdout.endswith("images-as-they-were\n")
    assert ":v1, 1 of 2 files new" in first.stderr
    assert "no new version" in again.stderr
    shipped = run([str(Path(python).with_name("headwater")), "version"], tmp_path, environment)
    assert shipped.stdout.startswith("headwater ")


def first_example() -> str:
    """The first block of Python in the README."""
    found = re.search(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, "README.md has no example in Python"
    return found[1]


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=INSTALL_WAIT_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended
