"""Giving freed memory back to the system."""

import platform
import subprocess
import sys

import pytest

FREED_BYTES = 48_000_000
SCRIPT = f"""
from headwater_runtime import memory
parts = [bytes(3_000) for _ in range({FREED_BYTES} // 3_000)]
last = parts[-1]  # above all others, so that the C library alone gives nothing back
del parts
before = memory._resident_bytes()
memory.PROCESS_BYTES_MAX = MAX
memory.give_back()
print(before - memory._resident_bytes())
"""


def given_back(process_bytes_max: int) -> int:
    script = SCRIPT.replace("MAX\n", f"{process_bytes_max}\n")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library gives memory back by itself, or cannot"
)
def test_freed_memory_goes_back_to_the_system() -> None:
    assert given_back(1 << 40) > FREED_BYTES / 2


def test_a_large_process_is_left_alone() -> None:
    assert given_back(1) < FREED_BYTES / 10
