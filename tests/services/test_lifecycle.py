"""`python -m services`: servers that run until they are stopped, and keep their data."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from services import __main__ as command_line
from services.cache import VARIABLE
from services.processes import Process, recorded
from services.servers import Servers
from tests.faults.processes import WAIT_S, Ended
from tests.support.servers import ROOT, programs

TITLES = ("Kafka", "PostgreSQL", "MinIO")


class Machine:
    """One folder of servers, and the command that starts and ends them."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def services(self, *words: str, **environment: str) -> Ended:
        """Run `python -m services` to its end."""
        command = [sys.executable, "-m", "services", "--folder", str(self.folder), *words]
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=3 * WAIT_S,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    @property
    def servers(self) -> Servers:
        return Servers.from_json((self.folder / "servers.json").read_text())

    def process(self, server: str) -> Process | None:
        return recorded(self.folder / server)


@pytest.fixture
def machine(tmp_path: Path, outside_environment: Mapping[str, str]) -> Iterator[Machine]:
    machine = Machine(tmp_path / "servers", outside_environment)
    yield machine
    machine.services("down").succeeded()


@pytest.fixture
def bare(tmp_path: Path, outside_environment: Mapping[str, str]) -> Machine:
    """A machine on which nothing was ever downloaded, and that has no tools."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    return Machine(tmp_path / "bare", {**outside_environment, VARIABLE: str(tmp_path / "cache"), "PATH": str(nothing)})


@pytest.mark.slow
def test_servers_run_until_they_are_stopped_and_keep_their_data(machine: Machine) -> None:
    programs()  # so that what is timed below is the start alone

    said = machine.services("up", "--native").succeeded().out
    exports = dict(line.removeprefix("export ").split("=", 1) for line in said.splitlines())
    assert exports == machine.servers.environment()
    with psycopg.connect(exports["HEADWATER_DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept ()")
    assert machine.services("status").succeeded().out.splitlines()[:3] == [f"{title}: up" for title in TITLES]
    processes = [machine.process(name) for name in ("kafka", "postgres", "minio")]

    assert machine.services("up", "--native").succeeded().out == said  # twice is once
    assert [machine.process(name) for name in ("kafka", "postgres", "minio")] == processes
    machine.services("down").succeeded()
    assert [process for process in processes if process is None or process.alive] == []
    assert machine.services("status").code == 1

    (machine.folder / "ports.json").unlink()  # so that they start on others: the data must not mind
    again = machine.services("up", "--native").succeeded().out
    assert again != said
    with psycopg.connect(machine.servers.environment()["HEADWATER_DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


@pytest.mark.slow
def test_a_server_that_died_is_seen_and_started_again_alone(machine: Machine) -> None:
    machine.services("up", "--native").succeeded()
    kafka, minio = machine.process("kafka"), machine.process("minio")
    assert minio is not None

    minio.signal(signal.SIGKILL)
    assert minio.ends_within(WAIT_S)
    seen = machine.services("status")
    machine.services("up", "--native").succeeded()

    assert (seen.code, seen.out.splitlines()[:3]) == (1, ["Kafka: up", "PostgreSQL: up", "MinIO: down"])
    assert machine.process("kafka") == kafka
    assert machine.process("minio") not in (None, minio)


@pytest.mark.slow
def test_a_process_that_was_given_a_servers_number_is_left_alone(machine: Machine) -> None:
    machine.services("up", "--native").succeeded()
    machine.services("down").succeeded()
    me = Process.of(os.getpid())
    assert me is not None
    (machine.folder / "minio" / "process.json").write_text(json.dumps([me.pid, "an earlier boot:1"]))
    (machine.folder / "servers.json").write_text(json.dumps({"engine": "native", **EXAMPLE.to_dict()}))

    assert machine.services("status").code == 1
    machine.services("down").succeeded()

    assert me.alive


EXAMPLE = Servers(
    kafka="127.0.0.1:1",
    postgres="postgresql://headwater:canary@127.0.0.1:1/postgres",
    s3_endpoint="http://127.0.0.1:1",
    s3_access_key="headwater",
    s3_secret_key="canary",
)


@pytest.mark.slow
def test_addresses_are_kept_where_only_their_owner_reads_them(machine: Machine) -> None:
    machine.services("up", "--native").succeeded()

    assert stat.S_IMODE((machine.folder / "servers.json").stat().st_mode) == 0o600


def test_servers_do_not_show_their_passwords_when_they_are_printed() -> None:
    assert "canary" not in repr(EXAMPLE)
    assert EXAMPLE.environment()["HEADWATER_DATABASE_URL"] == "postgresql://headwater:canary@127.0.0.1:1/headwater"


def test_a_machine_without_the_tools_is_told_all_that_is_missing(bare: Machine) -> None:
    ended = bare.services("up", "--native")

    assert ended.code == 1
    assert "Traceback" not in ended.err
    for said in (
        "Starting the servers requires",
        "Java 17 or newer",
        "Maven: `apt install maven`",
        "Go 1.24 or newer",
        "setpriv",
    ):
        assert said in ended.err
    assert "container engine" in ended.err
    assert list(bare.folder.glob("servers.*")) == []


def test_only_what_is_missing_is_asked_for(bare: Machine, outside_environment: Mapping[str, str]) -> None:
    link_tools(bare, outside_environment, "java", "mvn", "setpriv")

    ended = bare.services("get")

    assert ended.code == 1
    assert "Go 1.24" in ended.err
    assert "Maven" not in ended.err


def put_tool(machine: Machine, name: str, script: str) -> None:
    """A tool on the machine's PATH that does what `script` says."""
    tool = Path(machine.environment["PATH"]) / name
    tool.write_text(script)
    tool.chmod(0o755)


def test_a_java_that_is_too_old_is_named_with_its_version(
    bare: Machine, outside_environment: Mapping[str, str]
) -> None:
    link_tools(bare, outside_environment, "mvn", "go", "setpriv")
    put_tool(bare, "java", "#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")

    ended = bare.services("get")

    assert ended.code == 1
    assert "The Java on the PATH is version 8." in ended.err


def test_a_download_that_fails_says_what_the_tool_said_and_leaves_nothing(
    bare: Machine, outside_environment: Mapping[str, str]
) -> None:
    link_tools(bare, outside_environment, "java", "go", "setpriv")
    put_tool(bare, "mvn", "#!/bin/sh\necho 'no route to host' >&2\nexit 7\n")

    ended = bare.services("get")

    assert ended.code == 1
    assert "exit code 7" in ended.err
    assert "no route to host" in ended.err
    assert [path.suffix for path in Path(bare.environment[VARIABLE]).iterdir()] == [".lock"]


def test_ending_what_was_never_started_is_no_error(bare: Machine) -> None:
    assert "nothing was started here" in bare.services("down").succeeded().err
    assert bare.services("status").code == 1


def test_servers_stand_in_the_checkout_where_git_does_not_look() -> None:
    ignored = subprocess.run(["git", "check-ignore", "--quiet", str(command_line.FOLDER / "servers.json")], cwd=ROOT)

    assert ignored.returncode == 0


def link_tools(bare: Machine, outside: Mapping[str, str], *tools: str) -> None:
    """Put some of the machine's tools, and the shell they may need, on the bare machine's path."""
    for tool in (*tools, "sh"):
        found = shutil.which(tool, path=outside["PATH"])
        assert found, f"{tool} is missing here too"
        (Path(bare.environment["PATH"]) / tool).symlink_to(found)
