"""What `import headwater` offers is pinned, costs little, and fits user code that only has to type-check."""

import inspect
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import headwater
import pytest
from headwater._artifact.entry import Entry

PUBLIC = {
    *("Api", "Artifact", "HeadwaterError", "PartitionedTable", "Run", "Table", "data_types", "errors"),
    *("define_metric", "finish", "init", "log", "login", "subscribe", "watch"),
}


def test_the_public_names_are_these_and_all_of_them_are_there() -> None:
    assert set(headwater.__all__) == PUBLIC
    assert all(hasattr(headwater, name) for name in headwater.__all__)
    assert headwater.__version__ == version("headwater")


CALLS = {
    "Artifact": "name, type='', description=None, metadata=None",
    "Artifact.add_file": "local_path, name=None, is_tmp=False, policy='mutable'",
    "Artifact.add_dir": "local_path, name=None, policy='mutable'",
    "Artifact.add_reference": "uri, name=None, checksum=True, max_objects=None",
    "Artifact.new_file": "name, mode='w', encoding=None",
    "Artifact.add": "obj, name",
    "Artifact.remove": "item",
    "Artifact.new_draft": "",
    "Artifact.save": "",
    "Artifact.wait": "timeout=None",
    "Artifact.download": "root=None, path_prefix=None",
    "Artifact.checkout": "root",
    "Artifact.verify": "root=None",
    "Artifact.get_entry": "name",
    "Artifact.get_path": "name",
    "Artifact.get": "name",
    "Artifact.file": "root=None",
    "Artifact.files": "",
    "Artifact.delete": "delete_aliases=False",
    "Artifact.delete_preview": "",
    "Artifact.logged_by": "",
    "Artifact.used_by": "",
    "Entry.download": "root=None",
    "Entry.ref": "",
}
READ = {
    "Artifact": (
        "name qualified_name source_name type version aliases tags description metadata digest size file_count "
        "manifest state created_at updated_at ttl entity project"
    ),
    "Entry": "digest size",
}
OWNERS = {"Artifact": headwater.Artifact, "Entry": Entry}


@pytest.mark.parametrize("call", CALLS)
def test_what_can_be_called_takes_these_in_this_order_and_anything_else_by_its_name(call: str) -> None:
    owner, _, name = call.partition(".")

    parameters = inspect.signature(getattr(OWNERS[owner], name) if name else OWNERS[owner]).parameters.values()

    written = [
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in parameters
        if parameter.name != "self" and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    assert ", ".join(written) == CALLS[call]
    assert all(
        parameter.kind is parameter.POSITIONAL_OR_KEYWORD or parameter.default is not parameter.empty
        for parameter in parameters
    )


@pytest.mark.parametrize("owner", READ)
def test_what_can_be_read_of_it_is_a_property(owner: str) -> None:
    assert all(isinstance(getattr(OWNERS[owner], name), property) for name in READ[owner].split())


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(headwater, "nothing")


def test_importing_headwater_loads_none_of_the_heavy_libraries() -> None:
    heavy = {"sqlalchemy", "kafka", "minio", "numpy", "fastavro", "pyarrow", "pandas", "rich", "click"}
    script = f"""
import sys, headwater
assert headwater.run is None and headwater.__version__
print(sorted({heavy!r} & set(sys.modules)))
"""

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "[]"


def test_filling_an_artifact_class_loads_no_database() -> None:
    script = "import sys, headwater; headwater.Artifact('a', 'b'); print('sqlalchemy' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "False"


def test_a_small_job_and_what_reads_of_it_load_neither_sqlalchemy_nor_numpy(tmp_path: Path) -> None:
    """Their statements were compiled ahead, and a few entries are summed by hand: a short job is short."""
    (tmp_path / "a.txt").write_text("a")
    script = """
import sys, headwater
from click.testing import CliRunner
from headwater.cli import cli
with headwater.init() as run:
    artifact = headwater.Artifact("small", "dataset")
    artifact.add_file("a.txt")
    run.log_artifact(artifact).wait()
with headwater.init() as run:
    for number in range(2):
        other = headwater.Artifact(f"other-{number}", "dataset")
        other.add_file("a.txt")
        run.log_artifact(other)
with headwater.init() as run:
    for name in ("small", "other-0", "other-1"):
        run.use_artifact(f"{name}:latest")
    artifact = headwater.Artifact("made-of-them", "dataset")
    artifact.add_file("a.txt")
    run.log_artifact(artifact).wait()
for command in (["ls"], ["ls", "small"], ["ls", "small:v0"], ["show", "small"], ["runs"]):
    assert CliRunner().invoke(cli, command).exit_code == 0, command
print(sorted({"sqlalchemy", "numpy", "kafka", "minio", "psycopg"} & set(sys.modules)))
"""
    environment = {
        **os.environ,
        "HEADWATER_URL": str(tmp_path / "store"),
        "HEADWATER_CACHE_DIR": str(tmp_path / "cache"),
    }

    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.strip() == "[]"


def test_the_help_of_every_command_loads_none_of_the_heavy_libraries() -> None:
    """A shell asks for it at each press of Tab, so it must not cost what the command itself will."""
    script = """
import sys
from click.testing import CliRunner
from headwater.cli import cli
for command in cli.list_commands(None):
    assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0, command
    loaded = {"sqlalchemy", "kafka", "minio", "numpy", "fastavro"} & set(sys.modules)
    assert not loaded, f"{command} loads {loaded}"
print(len(cli.list_commands(None)))
"""

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert printed.returncode == 0, printed.stderr
    assert int(printed.stdout) > 0
