"""How progress is shown: in one line of a terminal, or in plain lines now and then, with rate, time left and names."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from headwater_blobs.port import HASHING, UPLOADING
from headwater_runtime.durations import format_seconds
from headwater_stores.telling import progress as progress_module
from headwater_stores.telling.progress import Progress, notify

from tests.sdk.screens import Clock, Watching
from tests.sdk.screens import clock as clock
from tests.sdk.screens import watching as watching
from tests.support.threads import threads_named

MB = 1_000_000


def test_rate_and_time_left_follow_the_last_seconds(watching: Watching, clock: Clock) -> None:
    screen = watching()
    with Progress("adding", total=1000 * MB, unit="B", files=10) as progress:
        for _ in range(10):
            clock.now_s += 1
            progress.advance(20 * MB, files=1, name="a.bin")
        assert screen.lines()[-1] == (
            "headwater: adding: 10 of 10 files, 200.0 MB of 1.0 GB, 20.0 MB/s, 40 s left, a.bin"
        )
        for _ in range(6):
            clock.now_s += 1
            progress.advance(2 * MB)
        assert "2.0 MB/s, 7 min left" in screen.lines()[-1]


def test_a_file_that_is_read_twice_is_shown_twice_and_counts_once(watching: Watching, clock: Clock) -> None:
    screen = watching()
    with Progress("adding", total=30 * MB, unit="B", files=2) as progress, progress.file("a.bin", 20 * MB) as file:
        clock.now_s += 1
        file.watch(HASHING, 10 * MB)
        assert screen.lines()[-1].startswith("headwater: adding: 0 of 2 files, 0 B of 30.0 MB")
        assert screen.lines()[-1].endswith(", hashing a.bin 50%")
        file.watch(HASHING, 10 * MB)
        file.watch(UPLOADING, 5 * MB)
        assert "5.0 MB of 30.0 MB" in screen.lines()[-1]
        assert screen.lines()[-1].endswith(", uploading a.bin 25%")
        file.watch(UPLOADING, 50 * MB)  # it changed, and was sent again
    assert "1 of 2 files, 20.0 MB of 30.0 MB" in screen.lines()[-1]


def test_where_there_is_no_terminal_there_is_one_plain_line_now_and_then(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "LINE_EVERY_S", 0.05)
    screen = watching(is_terminal=False)
    with Progress("adding", total=10 * MB, unit="B") as progress, progress.file("a.bin", 10 * MB) as file:
        file.watch(UPLOADING, 5 * MB)
        wait_until(lambda: screen.getvalue().count("\n") >= 3)

    lines = screen.getvalue().splitlines()
    assert all(re.match(r"headwater: uploading a\.bin: 5\.0 MB of 10\.0 MB", line) for line in lines), lines
    assert "\r" not in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


def test_without_a_terminal_the_lines_are_ten_seconds_apart() -> None:
    assert progress_module.LINE_EVERY_S == 10


def test_a_dumb_terminal_gets_plain_lines(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = watching()
    with Progress("adding", total=10, unit="B") as progress:
        progress.advance(5)

    assert screen.getvalue() == ""


def test_a_server_that_does_not_answer_is_no_reason_to_show_nothing(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "TICK_S", 0.02)
    screen = watching()
    with Progress("adding", total=10 * MB, unit="B") as progress:
        progress.advance(MB)
        drawn = len(screen.lines())
        wait_until(lambda: len(screen.lines()) > drawn + 2)


def test_a_note_does_not_get_lost_in_the_line(watching: Watching, clock: Clock) -> None:
    screen = watching()
    with Progress("adding", total=10 * MB, unit="B") as progress:
        progress.advance(MB)
        notify("data: v0")
        progress.advance(MB)
        assert [line[:17] for line in screen.now()] == ["headwater: data: ", "headwater: adding"]

    assert screen.now() == ["headwater: data: v0", ""]


def test_of_two_at_once_the_last_that_began_is_shown(watching: Watching, clock: Clock) -> None:
    screen = watching()
    with Progress("logging", total=3, unit="") as outer:
        outer.report(1, 3)
        with Progress("storing", total=10 * MB, unit="B") as inner:
            inner.advance(MB)
            outer.report(2, 3)
            assert screen.now()[-1].startswith("headwater: storing")
        outer.report(3, 3)
        assert screen.now()[-1] == "headwater: logging: 3 of 3"


def test_a_line_fits_the_terminal_and_no_name_steers_it(
    watching: Watching, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    screen = watching()
    name = "\x1b[2J\na" + "界" * 60
    with Progress("adding", total=10 * MB, unit="B") as progress, progress.file(name, MB) as file:
        file.watch(UPLOADING, MB)
        line = screen.now()[-1]

    assert line.startswith("headwater: uploading \\x1b[2J a界")
    assert line.endswith("…")
    assert len(line) + line.count("界") <= 49


def test_threads_lose_no_byte(watching: Watching) -> None:
    screen = watching()
    with Progress("adding", total=8 * 100 * 10, unit="B", files=8) as progress:

        def work(number: int) -> None:
            with progress.file(f"{number}.bin", 1000) as file:
                for _ in range(100):
                    file.watch(UPLOADING, 10)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

    assert "8 of 8 files, 8.0 kB of 8.0 kB" in screen.lines()[-1]
    assert not threads_named("headwater-progress")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.4, "59 s"), (59.6, "1 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_times_are_said_in_words_of_their_size(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_line_is_written_in_one_piece_also_without_buffers() -> None:
    """As in a container: lines of processes that share standard error must not run into each other."""
    code = "from headwater_stores.telling.progress import notify\nfor n in range(3):\n    notify(f'line {n}')"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # which keeps writes apart
    with ours, theirs:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        subprocess.run([sys.executable, "-c", code], stderr=theirs, env=environment, check=True, timeout=60)
        theirs.close()

        pieces = list(iter(lambda: ours.recv(1000), b""))

    assert pieces == [b"headwater: line %d\n" % n for n in range(3)]
