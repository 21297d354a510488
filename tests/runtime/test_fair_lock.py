"""A lock file between processes, which orders them and promises nothing else."""

import os
import time
from pathlib import Path

from headwater_runtime.fair_lock import fair_lock

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


def test_where_the_file_cannot_be_made_there_is_no_order(tmp_path: Path) -> None:
    with fair_lock(str(tmp_path / "missing" / "lock"), time.monotonic() + 1) as held:
        assert not held
