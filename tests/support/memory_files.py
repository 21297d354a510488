"""The files of a test run, in memory where it has room: on a disk, most tests of a store only wait for its syncs."""

import os
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM_BYTES_MIN = 6 << 30  # several times what the files of a run ever take
_VARIABLE = "PYTEST_DEBUG_TEMPROOT"  # of pytest: where it makes the folders of `tmp_path`


def pytest_configure(config: pytest.Config) -> None:
    """Unless the user says where, choose it before the first folder is made; workers do as they are told."""
    if _VARIABLE not in os.environ and not hasattr(config, "workerinput") and _has_room():
        os.environ[_VARIABLE] = str(MEMORY)


def _has_room() -> bool:
    """Whether files in memory may be large, and run as programs, which the wheel's environment does."""
    try:
        found = os.statvfs(MEMORY)
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return False
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return min(found.f_bavail * found.f_frsize, available) >= ROOM_BYTES_MIN and not found.f_flag & os.ST_NOEXEC
