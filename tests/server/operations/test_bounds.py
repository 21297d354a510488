"""How many commands run at once, for how long nobody needs to say anything, and how much is held for a slow client."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_server.limits import OPERATIONS_OF_PRINCIPAL_MAX
from headwater_stores.http import operations as client

from tests.server.attacks.raw import connected, send_all
from tests.server.operations.impatient import BEAT_S, PROGRAM
from tests.server.operations.operated import Operated, ended
from tests.server.operations.test_interrupted import COLLECTING, GC, commands_that_run, leave_garbage
from tests.support.disks import can_mount, filled, small_disk
from tests.support.serving import ServerProcess, until

FILM_BYTES = 60_000_000  # far more than connections and pipes hold
HELD_BYTES_MAX = 25_000_000  # of memory that the server takes for a client that reads nothing
HELD_UP_BYTES_MIN = 100_000  # written before that: more than a pipe holds
STILL_S = 0.5
DISK_BYTES = 32 * 1024 * 1024


@pytest.fixture
def impatient(folder_store: Operated) -> Iterator[Operated]:
    with folder_store.serving("--open", program=PROGRAM):
        yield folder_store


def test_two_collections_at_once_do_no_harm(on_folder: Operated) -> None:
    leave_garbage(on_folder)

    both = [on_folder.start(*GC) for _ in range(2)]
    for one in both:
        ended(one).succeeded()

    assert on_folder.ask_there(*GC)["deleted"] == 0
    on_folder.there("get", "film:v1", "out")


def test_more_than_so_many_at_once_are_told_to_come_again(on_folder: Operated) -> None:
    leave_garbage(on_folder)
    assert on_folder.server is not None
    waiting = []
    for _ in range(OPERATIONS_OF_PRINCIPAL_MAX):
        on_folder.fault(COLLECTING[0])
        waiting.append(on_folder.start(*GC))
        until(lambda: not (on_folder.folder / "fault").exists())

    answer = on_folder.server.ask("POST", "/v1/operations/gc", b"{}")
    assert (answer.status, answer.json["reason"]) == (429, "too-many-operations")
    assert answer.headers["retry-after"] == "1"
    impatient = ended(on_folder.start(*GC, HEADWATER_OUTAGE_SECONDS="0"))
    assert impatient.code == 1
    assert "operations of yours are open already" in impatient.err
    patient = on_folder.start(*GC)
    for one in waiting:
        one.send_signal(signal.SIGKILL)
        one.wait()

    ended(patient).succeeded()
    until(lambda: _open_operations(on_folder.server) == 0)


def test_a_command_that_says_nothing_shows_signs_of_life(impatient: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_garbage(impatient)
    monkeypatch.setattr(client, "SILENCE_S", 10 * BEAT_S)
    (impatient.folder / "fault").write_text("\n".join((*map(str, COLLECTING[0]), "SLEEP")))

    assert impatient.run(*GC).code == 0


def test_a_client_that_takes_nothing_interrupts_its_command(impatient: Operated) -> None:
    with _exporting(impatient):
        until(lambda: bool(commands_that_run()))
        until(lambda: not commands_that_run())


def test_little_is_held_for_a_client_that_takes_nothing(on_folder: Operated) -> None:
    server = on_folder.server
    assert server is not None
    (on_folder.folder / "warm.txt").write_text("warm")
    on_folder.there("log", "warm.txt", "--name", "warm")
    on_folder.there("export", "warm", "-o", "warm.zip")
    with _exporting(on_folder):
        before = _memory(server)
        until(_is_held_up)

        assert _memory(server) - before < HELD_BYTES_MAX


@pytest.mark.skipif(not can_mount(), reason="needs a small disk of its own")
def test_room_is_freed_through_a_server_on_a_full_disk(folder_store: Operated) -> None:
    with small_disk(DISK_BYTES) as disk:
        folder_store.store.folder = disk / "store"
        with folder_store.serving() as operated:
            leave_garbage(operated)
            with filled(disk):
                freed = operated.ask_there(*GC)

            assert freed["bytes_freed"] > 0
            assert operated.ask_there(*GC)["deleted"] == 0


@pytest.mark.skipif(not can_mount(), reason="needs a small disk of its own")
def test_an_import_for_which_the_server_has_no_room_says_so_and_writes_nothing(
    folder_store: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(DISK_BYTES) as disk:
        monkeypatch.setenv("TMPDIR", str(disk))
        with folder_store.serving() as operated:
            leave_garbage(operated)
            operated.here("export", "film:v1", "-o", "film.zip")
            before = operated.events()
            with filled(disk, leave_bytes=100_000):
                said = operated.refused("import", "film.zip", "--project", "other")

            assert f"standard input cannot be kept in {str(disk)!r}" in said
            assert operated.events() == before
            operated.there("import", "film.zip", "--project", "other")


class _exporting:  # noqa: N801 - reads as a function
    """A block in which a client asks for a large export, and takes nothing of it."""

    def __init__(self, operated: Operated) -> None:
        assert operated.server is not None
        film = operated.folder / "film.bin"
        film.write_bytes(os.urandom(FILM_BYTES))
        operated.there("log", "film.bin", "--name", "film")
        self._server: ServerProcess = operated.server

    def __enter__(self) -> None:
        body = b'{"names": ["team/animals/film"]}'
        head = f"POST /v1/operations/export HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        self._connection = connected(self._server)
        assert send_all(self._connection, [head.encode(), body])

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _is_held_up() -> bool:
    """Whether a command has written much, and writes no more."""
    written = _written(commands_that_run())
    time.sleep(STILL_S)
    return written > HELD_UP_BYTES_MIN and written == _written(commands_that_run())


def _written(processes: list[int]) -> int:
    lines = "\n".join(Path(f"/proc/{process}/io").read_text() for process in processes).splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("wchar:"))


def _memory(server: ServerProcess) -> int:
    """What the process has taken at most."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _open_operations(server: ServerProcess | None) -> float:
    assert server is not None
    figures = server.ask("GET", "/metrics").body.decode()
    return float(figures.split("\nheadwater_server_open_operations ")[1].split()[0])
