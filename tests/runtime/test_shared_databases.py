"""How a database that several processes share may be opened."""

import subprocess
import sys
import time
from pathlib import Path

from headwater_runtime.shared_databases import DatabaseAccess, access_of

ASKING_S = 1.0
MAKING_AND_REMOVING = """
import os, sys, time
while True:
    open(sys.argv[1], "w").close()
    time.sleep(0.005)
    os.unlink(sys.argv[1])
    time.sleep(0.005)
"""


def test_a_journal_that_another_process_makes_or_removes_meanwhile_keeps_nobody_from_writing(tmp_path: Path) -> None:
    database = tmp_path / "some.db"
    database.touch()
    other = subprocess.Popen([sys.executable, "-c", MAKING_AND_REMOVING, f"{database}-wal"])
    try:
        end = time.monotonic() + ASKING_S
        while time.monotonic() < end:
            assert access_of(database) is DatabaseAccess.WRITING
    finally:
        other.kill()
        other.wait()
