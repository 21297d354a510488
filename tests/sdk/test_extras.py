"""What a plain installation does, and what it says of the extras that it lacks."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAMED = re.compile(r"headwater\[(\w+)\]")
SCRIPT_S_MAX = 120.0  # a process that starts Python anew, on a busy machine

# As if nothing was installed that is not among the dependencies.
PLAIN = "import sys\nfor name in ('google', 'google.cloud', 'pandas', 'prometheus_client', 'psycopg', 'pyarrow'):\n"
PLAIN += "    sys.modules[name] = None\nimport headwater\n"


def said_by(script: str, folder: Path, **environment: str) -> str:
    """What a process without extras prints, its errors included."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN + script],
        env={**os.environ, "HEADWATER_URL": str(folder / "store"), **environment},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SCRIPT_S_MAX,
        check=False,
    )
    return done.stdout


def test_without_any_extra_artifacts_are_logged_used_and_downloaded(tmp_path: Path) -> None:
    script = """
with headwater.init() as run:
    artifact = headwater.Artifact("bikes", "dataset")
    with artifact.new_file("a.txt") as file:
        file.write("hello")
    artifact.add(headwater.PartitionedTable("parts"), "all")
    run.log_artifact(artifact)
    print(open(run.use_artifact("bikes").download() + "/a.txt").read(), len(headwater.Table(["a"], [[1]])))
"""

    assert "hello 1" in said_by(script, tmp_path)


LACKING = {
    "headwater.Artifact('a', 'b').add(headwater.Table(['a'], [[1]]), 'c')": "tables",
    "headwater.Artifact('a', 'b').add_reference('gs://bucket/key')": "gs",
    "headwater.Api().artifact('a')": "service",
    "from headwater.cli import main; sys.argv = ['headwater', 'projector']; main()": "service",
}
SERVERS = {
    "HEADWATER_KAFKA_SERVERS": "127.0.0.1:1",
    "HEADWATER_DATABASE_URL": "postgresql://127.0.0.1:1/headwater",
    "HEADWATER_S3_ENDPOINT": "http://127.0.0.1:1",
    "HEADWATER_S3_BUCKET": "bucket",
}


@pytest.mark.parametrize("call", LACKING)
def test_what_needs_an_extra_says_how_to_get_it(call: str, tmp_path: Path) -> None:
    extra = LACKING[call]
    servers = {"HEADWATER_URL": "profile:team", **SERVERS} if extra == "service" else {}

    said = said_by(call, tmp_path, **servers)

    assert said.rstrip().endswith(f"pip install 'headwater[{extra}]'")


def test_a_projector_of_a_folder_says_that_there_is_none_whatever_is_installed(tmp_path: Path) -> None:
    said = said_by("from headwater.cli import main; sys.argv = ['headwater', 'projector']; main()", tmp_path)

    assert "HEADWATER_URL names a folder" in said
    assert "Traceback" not in said


def test_every_extra_that_a_message_or_a_page_names_is_one() -> None:
    rooms = ("schemas", "eventlog", "blobs", "producer", "consumer", "sdk")
    sources = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]

    named = {extra for path in (*sources, *pages) for extra in NAMED.findall(path.read_text("utf-8"))}

    assert named == {"gs", "service", "tables"}
    assert named <= set(PROJECT["optional-dependencies"])
