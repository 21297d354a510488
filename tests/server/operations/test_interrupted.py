"""A command whose client or server goes in the middle is interrupted, and running it again completes it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.attacks.raw import connected, send_all
from tests.server.operations.operated import INTERRUPTED, Operated, Point, ended, operating, read_line
from tests.support.forked import ForkedProcess
from tests.support.modes import EMBEDDED
from tests.support.serving import until

GC = ("gc", "--grace", "0s")
COLLECTING: tuple[Point, ...] = (
    ("purging", "before", 1),
    ("condemning", "after", 1),
    ("deleting what is condemned", "after", 1),
)
LARGE = 500_000


@pytest.fixture
def garbage(on_folder: Operated) -> Operated:
    """With a version that was deleted for good, and one that stays."""
    leave_garbage(on_folder)
    return on_folder


def leave_garbage(operated: Operated) -> None:
    for n in range(2):
        (operated.folder / "film.bin").write_bytes(bytes([n]) * LARGE)
        operated.there("log", "film.bin", "--name", "film")
    operated.there("rm", "film:v0")
    operated.there("project", "--restore-days", "0")


def stopped(operated: Operated, point: Point, *arguments: str) -> tuple[ForkedProcess, int]:
    """A client whose command has come to a point, where it waits; and the process of the command."""
    operated.fault(point)
    client = operated.start(*arguments)
    assert read_line(client) == "stopped"
    (process,) = commands_that_run()
    return client, process


def commands_that_run() -> list[int]:
    """The processes of commands that servers run in this test."""
    here = os.environ["HEADWATER_CACHE_DIR"]
    return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _is_command(pid, here)]


def _is_command(pid: int, cache: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"headwater_server.operations.child" in words and f"HEADWATER_CACHE_DIR={cache}".encode() in environment


def is_collected(operated: Operated) -> None:
    """By running it once more."""
    report = operated.ask_there(*GC)
    assert (report["unfinished"], report["not_freed"]) == (0, 0)
    assert sum(operated.objects().values()) == LARGE
    assert operated.ask_here("gc", "--dry-run", "--grace", "0s")["deleted"] == 0
    operated.there("get", "film:v1", "out")
    assert (operated.folder / "out" / "film.bin").read_bytes() == bytes([1]) * LARGE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
@pytest.mark.parametrize("point", COLLECTING, ids=lambda point: point[0])
def test_a_client_that_goes_interrupts_its_command_and_the_next_completes_it(
    point: Point, number: signal.Signals, garbage: Operated
) -> None:
    client, _ = stopped(garbage, point, *GC)

    client.send_signal(number)
    gone = ended(client)

    assert gone.code == (INTERRUPTED if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert "headwater: interrupted. Completed work is kept; run the command again to continue." in gone.err
    until(lambda: not commands_that_run())
    is_collected(garbage)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_server_that_ends_interrupts_its_commands_and_their_clients_know(how: str, folder_store: Operated) -> None:
    with folder_store.serving() as operated:
        leave_garbage(operated)
        client, _ = stopped(operated, COLLECTING[1], *GC)
        assert operated.server is not None
        if how == "stopped":
            assert operated.server.stop() == 0
        else:
            operated.server.kill()

        gone = ended(client)

        assert gone.code == 1
        assert "again" in gone.err
        assert ("interrupted `headwater gc`: the server stops" in gone.err) is (how == "stopped")
        until(lambda: not commands_that_run())
    with folder_store.serving() as operated:
        is_collected(operated)


def test_a_command_that_does_not_end_when_the_server_stops_is_ended_in_time(folder_store: Operated) -> None:
    with folder_store.serving() as operated:
        leave_garbage(operated)
        client, process = stopped(operated, COLLECTING[1], *GC)
        os.kill(process, signal.SIGSTOP)  # it takes no signal but SIGKILL

        assert operated.server is not None
        assert operated.server.stop() == 0

        assert "the server stops" in ended(client).err
        assert not commands_that_run()


def test_a_command_that_is_killed_is_no_success(garbage: Operated) -> None:
    client, process = stopped(garbage, COLLECTING[1], *GC)

    os.kill(process, signal.SIGKILL)

    gone = ended(client)
    assert gone.code == 1
    assert "was ended by signal 9" in gone.err
    is_collected(garbage)


def test_an_export_that_is_interrupted_leaves_no_file(garbage: Operated) -> None:
    client, _ = stopped(garbage, ("downloading", "before", 1), "export", "film", "-o", "film.zip")

    client.send_signal(signal.SIGINT)

    assert ended(client).code == INTERRUPTED
    until(lambda: not commands_that_run())
    assert not list(garbage.folder.glob("film.zip*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
@pytest.mark.parametrize("point", [("storing", "after", 1), ("appending", "after", 3)], ids=lambda point: point[0])
def test_an_import_that_is_interrupted_is_gone_on_with(point: Point, number: signal.Signals, garbage: Operated) -> None:
    garbage.here("export", "film:v1", "-o", "film.zip")
    client, _ = stopped(garbage, point, "import", "film.zip", "--project", "other")

    client.send_signal(number)
    ended(client)
    until(lambda: not commands_that_run())

    garbage.there("import", "film.zip", "--project", "other")
    again = garbage.ask_there("import", "film.zip", "--project", "other")
    assert (again["imported"], again["present"]) == ([], 1)
    assert garbage.ask_there("show", "other/film")["digest"] == garbage.ask_here("show", "film:v1")["digest"]


def test_a_client_that_goes_while_it_sends_a_file_imports_nothing(garbage: Operated) -> None:
    assert garbage.server is not None
    garbage.here("export", "film:v1", "-o", "film.zip")
    content, before = (garbage.folder / "film.zip").read_bytes(), garbage.events()
    head = f"POST /v1/operations/import HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"

    with connected(garbage.server) as client:
        assert send_all(client, [head.encode(), content[:-1]])
        until(lambda: bool(commands_that_run()))

    until(lambda: not commands_that_run())
    assert garbage.events() == before


@pytest.fixture
def services(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operated]:
    with operating(mode, tmp_path, monkeypatch) as operated:
        yield operated


@pytest.mark.parametrize("mode", ["service"], indirect=True, ids=["servers"])
def test_a_command_on_servers_is_interrupted_and_completed_too(mode: str, services: Operated) -> None:
    assert mode != EMBEDDED
    with services.serving() as operated:
        leave_garbage(operated)
        client, _ = stopped(operated, COLLECTING[1], *GC)

        client.kill()
        ended(client)

        until(lambda: not commands_that_run())
        is_collected(operated)
