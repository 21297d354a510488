"""Lock files: held for as long as a process or a forked child of it lives, and by one of them at a time."""

import fcntl
import os
from pathlib import Path

import pytest
from headwater_runtime.lock_files import hold_left, hold_new

from tests.runtime.forks import in_a_fork


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


def test_a_lock_that_a_process_holds_is_left_once_it_lets_go(path: str) -> None:
    lock = hold_new(path)
    assert lock is not None
    assert hold_left(path) is None
    assert in_a_fork(lambda: hold_left(path) is None)

    lock.close()
    lock.close()

    assert hold_left(path) is not None


def test_the_lock_of_a_process_that_ended_without_a_word_is_left(path: str) -> None:
    def end() -> bool:
        lock = hold_new(path)
        os._exit(0 if lock is not None else 1)

    assert in_a_fork(end)

    assert hold_left(path) is not None


def test_a_forked_child_holds_the_lock_of_its_parent(path: str) -> None:
    lock = hold_new(path)
    assert lock is not None
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(write)
        os.read(read, 1)  # until the parent has closed its end
        os._exit(0)
    os.close(read)
    lock.close()

    assert hold_left(path) is None
    os.close(write)
    os.waitpid(child, 0)
    assert hold_left(path) is not None


def test_a_lock_that_nobody_refers_to_is_left(path: str) -> None:
    lock = hold_new(path)
    del lock

    assert hold_left(path) is not None


def test_a_file_that_is_missing_is_said(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        hold_left(path)


def test_a_file_removed_before_it_was_locked_is_not_held(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock_it = fcntl.flock

    def remove_first(descriptor: int, operation: int) -> None:
        os.unlink(path)
        lock_it(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)

    assert hold_new(path) is None
    Path(path).touch()
    assert hold_left(path) is None


def test_where_there_are_no_locks_none_is_ever_left(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    lock = hold_new(path)
    assert lock is not None
    lock.close()
    assert hold_left(path) is None
