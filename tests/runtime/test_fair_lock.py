"""A lock file between processes, which orders them and promises nothing else."""

import os
import time
from pathlib import Path

import pytest
from headwater_runtime.fair_lock import NOTE_BYTES_MAX, fair_lock, turn_at
from headwater_runtime.lock_files import open_lock_file

from tests.runtime.forks import in_a_fork


def test_one_process_holds_the_lock_and_another_waits_until_its_deadline(tmp_path: Path) -> None:
    file = str(tmp_path / "lock")

    def is_refused() -> bool:
        started = time.monotonic()
        with fair_lock(file, started + 0.2) as held:
            return not held and time.monotonic() - started > 0.1

    with fair_lock(file, time.monotonic() + 1) as held:
        assert held
        assert in_a_fork(is_refused)


def test_the_lock_is_free_again_after_the_block_whatever_children_are_left(tmp_path: Path) -> None:
    file = str(tmp_path / "lock")
    read, write = os.pipe()
    with fair_lock(file, time.monotonic() + 1):
        child = os.fork()
        if not child:
            os.close(write)
            os.read(read, 1)  # until the parent has closed its end
            os._exit(0)
    os.close(read)

    with fair_lock(file, time.monotonic() + 1) as held:
        assert held
    os.close(write)
    os.waitpid(child, 0)


def test_the_lock_is_free_again_though_a_child_was_forked_in_the_middle_of_opening_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "lock")
    copies: list[int] = []  # such as that child has

    def opened(path: str) -> int:
        descriptor = open_lock_file(path)
        copies.append(os.dup(descriptor))
        return descriptor

    monkeypatch.setattr("headwater_runtime.fair_lock.open_lock_file", opened)
    for _ in range(2):
        with fair_lock(file, time.monotonic() + 1) as held:
            assert held
    for copy in copies:
        os.close(copy)


def test_where_the_file_cannot_be_made_there_is_no_order(tmp_path: Path) -> None:
    with fair_lock(str(tmp_path / "missing" / "lock"), time.monotonic() + 1) as held:
        assert not held


def test_who_waits_for_work_leaves_when_the_holder_notes_that_it_is_done(tmp_path: Path) -> None:
    file = str(tmp_path / "lock")

    def leaves_without_the_lock() -> bool:
        with turn_at(file, time.monotonic() + 60, lambda note: note == b"two") as turn:
            return not turn.is_held and turn.note() == b"two"

    with turn_at(file, time.monotonic() + 1) as turn:
        turn.leave_note(b"three")
        turn.leave_note(b"two")  # shorter than what was there
        turn.leave_note(bytes(NOTE_BYTES_MAX))  # too long: what was there stays
        assert in_a_fork(leaves_without_the_lock)


def test_only_the_holder_leaves_notes(tmp_path: Path) -> None:
    file = str(tmp_path / "lock")

    def notes_in_vain() -> bool:
        with turn_at(file, time.monotonic()) as turn:
            turn.leave_note(b"mine")
            return turn.note() == b"of the holder"

    with turn_at(file, time.monotonic() + 1) as turn:
        turn.leave_note(b"of the holder")
        assert in_a_fork(notes_in_vain)
