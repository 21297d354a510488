"""Folders to log, and what the machine itself needs for them."""

import os
import subprocess
import time
from pathlib import Path

from headwater._ingest.trust import TRUSTED_AGE_NS

from bench.harness import Bench, timed

SMALL_FILE_BYTES = 4096
READ_BYTES = 1024 * 1024
AGE_S = TRUSTED_AGE_NS / 1e9 + 2  # then the stat cache trusts what it reads


def make_tree(folder: Path, *, files: int, folders: int, size: int = SMALL_FILE_BYTES) -> Path:
    """`files` files of random bytes in `folders` folders."""
    for n in range(folders):
        (folder / f"{n:04d}").mkdir(parents=True)
    for n in range(files):
        _write(file_in(folder, n, folders), os.urandom(size))
    os.sync()
    return folder


def let_age(bench: Bench) -> None:
    """Wait until the files that were just made are old enough for the stat cache; a quick run reads them again."""
    if not bench.quick:
        time.sleep(AGE_S)


def file_in(folder: Path, n: int, folders: int) -> str:
    """The path of the `n`th file of such a tree."""
    return os.path.join(folder, f"{n % folders:04d}", f"{n // folders:06d}.bin")


def copy_seconds(source: Path, target: Path) -> float:
    """How long `cp -r` takes."""
    return timed(lambda: subprocess.run(["cp", "-r", os.fspath(source), os.fspath(target)], check=True))


def warm(folder: Path) -> None:
    """Read every file, so that the next reader finds it in memory: some machines drop what was read, unasked."""
    buffer = bytearray(READ_BYTES)
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def walk(folder: str) -> int:
    """`scandir` and `stat` of everything below, and how many files there are."""
    count, folders = 0, [folder]
    while folders:
        with os.scandir(folders.pop()) as listing:
            for entry in listing:
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    entry.stat()
                    count += 1
    return count


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
