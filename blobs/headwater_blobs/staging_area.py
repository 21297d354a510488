"""The staged bytes of all writers, in one folder.

    STAGING/<writer>/lock       held by the writer for as long as it lives, see `lock_files`
    STAGING/<writer>/<32 hex>   bytes that it staged

Whoever takes over or deletes bytes of another writer holds that lock meanwhile, so that the writer is gone and nobody
else does the same. Bytes that one process leaves for another to go on with are set apart: they have a folder of their
own, as if they were a writer's, whose lock is held by who writes them and by nobody in between.

Errors of the file system are the caller's to translate.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from headwater_runtime.files import sync_folder
from headwater_runtime.lock_files import LockFile, hold_left, hold_new
from headwater_runtime.shared_files import follow_folder

from headwater_blobs.staged_names import (
    check_staged_name,
    is_staged_name,
    is_writer,
    new_writer,
    staged_name,
    writer_of,
)

LOCK = "lock"
BEGINNINGS_MAX = 16  # of a writer; each lost only if another process collects that new folder in the same moment


@dataclass(frozen=True, slots=True)
class StagedFile:
    """Staged bytes of some writer."""

    name: str
    size: int  # bytes
    freed: int  # bytes that its deletion frees: none of those that an object shares
    modified_s: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class SetApart:
    """Staged bytes in a folder of their own, which this process holds."""

    name: str
    lock: LockFile


@dataclass(frozen=True, slots=True)
class _Writer:
    name: str
    lock: LockFile


class _Left(NamedTuple):
    """Whether a writer is gone, and whether this process holds its lock; where it has none yet, nobody can."""

    is_left: bool
    is_held: bool


class StagingArea:
    """A folder of staged bytes, as one process sees it. Safe to use from threads and after a fork."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        # By process id. The entry of a parent stays after a fork: its lock lasts while a child can use what it staged.
        self._own: dict[int, _Writer] = {}
        self._adopted_from: set[str] = set()  # writers that are gone

    def new_name(self) -> str:
        """A name for bytes that this process is about to stage. Raises: OSError."""
        process_id = os.getpid()
        writer = self._own.get(process_id)
        if writer is None:
            made = self._begin()
            writer = self._own.setdefault(process_id, made)
            if writer is not made:  # another thread was quicker
                self._let_go(made.name, made.lock)
        return staged_name(writer.name)

    def path_of(self, name: str) -> str:
        """The file of staged bytes. Raises: InvalidInput for what is no such name."""
        return os.path.join(self._folder, check_staged_name(name))

    def all(self) -> Iterator[StagedFile]:
        """The staged bytes of all writers, in order of names. Raises: OSError."""
        for writer in self._writers():
            yield from self._files_of(writer)

    def adopt(self, name: str, size: int) -> str | None:
        """Take over `size` bytes that a writer left; returns their new name. None where they are not left there."""
        writer = writer_of(name)
        with self._held_if_left(writer) as found, suppress(FileNotFoundError):
            if found.is_left and os.stat(self.path_of(name)).st_size == size:
                mine = self.new_name()
                os.rename(self.path_of(name), self.path_of(mine))
                self._adopted_from.add(writer)
                return mine
        return None

    def set_apart(self, name: str) -> SetApart | None:
        """Give bytes of this process a folder of their own, durably. None where nobody could tell that they are held.

        Raises: OSError.
        """
        apart = self._begin()
        if not apart.lock.is_locked:
            self._let_go(apart.name, apart.lock)
            return None
        moved = staged_name(apart.name)
        os.rename(self.path_of(name), self.path_of(moved))
        sync_folder(os.path.join(self._folder, apart.name))
        sync_folder(self._folder)
        return SetApart(moved, apart.lock)

    def take_up(self, name: str) -> SetApart | None:
        """Hold bytes that were set apart; None while another process does. Raises: FileNotFoundError; OSError."""
        lock = hold_left(self._lock_of(writer_of(name)))
        return None if lock is None else SetApart(name, lock)

    def take_back(self, apart: SetApart) -> str:
        """Make them bytes of this process again; returns their new name. Raises: OSError."""
        mine = self.new_name()
        os.rename(self.path_of(apart.name), self.path_of(mine))
        self.let_go(apart)
        return mine

    def let_go(self, apart: SetApart) -> None:
        """Hold them no more: another can take them up, or nobody if they are gone."""
        self._let_go(writer_of(apart.name), apart.lock)

    def reclaim(self, *, idle_s: float, dry_run: bool) -> Iterator[StagedFile]:
        """Delete what writers left that are gone, unless it was written within the last `idle_s` seconds.

        Yields each; with `dry_run` the same, and deletes nothing. Raises: OSError.
        """
        until_s = time.time() - idle_s
        for writer in self._writers():
            with self._held_if_left(writer) as left:
                for found in self._files_of(writer) if left.is_left else ():
                    if found.modified_s <= until_s and (dry_run or _unlink(self.path_of(found.name))):
                        yield found
                if left.is_left and not dry_run:
                    self._remove_if_empty(writer, is_held=left.is_held)

    def close(self) -> None:
        """Let go of this process's locks. What it staged and did not discard is left."""
        for process_id, writer in list(self._own.items()):
            if process_id == os.getpid():
                self._let_go(writer.name, writer.lock)
            else:
                writer.lock.close()
        self._own.clear()
        for name in self._adopted_from:
            with self._held_if_left(name) as left:
                if left.is_left:
                    self._remove_if_empty(name, is_held=left.is_held)
        self._adopted_from.clear()

    def _begin(self) -> _Writer:
        for _ in range(BEGINNINGS_MAX):
            name = new_writer()
            os.mkdir(own := os.path.join(self._folder, name))
            with suppress(FileNotFoundError):
                follow_folder(own, self._folder)
                lock = hold_new(self._lock_of(name))
                if lock is not None:
                    return _Writer(name, lock)
        raise OSError(errno.EAGAIN, "another process keeps removing new folders there")

    @contextmanager
    def _held_if_left(self, writer: str) -> Iterator[_Left]:
        """Whether a writer is gone. Until the end of the block nobody else takes what it left."""
        try:
            lock = hold_left(self._lock_of(writer))
        except FileNotFoundError:  # it is removed with the last of the staged bytes; or its writer is about to make it
            yield _Left(True, is_held=False)
            return
        try:
            yield _Left(lock is not None, is_held=lock is not None)
        finally:
            if lock is not None:
                lock.close()

    def _lock_of(self, writer: str) -> str:
        return os.path.join(self._folder, writer, LOCK)

    def _writers(self) -> list[str]:
        return sorted(filter(is_writer, _names_in(self._folder)))

    def _files_of(self, writer: str) -> Iterator[StagedFile]:
        for leaf in sorted(_names_in(os.path.join(self._folder, writer))):
            name = f"{writer}/{leaf}"
            if is_staged_name(name):
                with suppress(FileNotFoundError):
                    found = os.stat(self.path_of(name))
                    freed = found.st_size if found.st_nlink == 1 else 0
                    yield StagedFile(name, found.st_size, freed, found.st_mtime)

    def _let_go(self, writer: str, lock: LockFile) -> None:
        self._remove_if_empty(writer, is_held=True)
        lock.close()

    def _remove_if_empty(self, writer: str, *, is_held: bool) -> None:
        """Remove the folder of a writer that is gone or ending. A lock that is not held here may be another's by now:
        the writer that made the folder finds that it is gone, or that it stays.
        """
        folder = os.path.join(self._folder, writer)
        with suppress(OSError):  # of another user, say: an empty folder does no harm
            if not is_held:
                os.rmdir(folder)
            elif set(_names_in(folder)) <= {LOCK}:
                _unlink(os.path.join(folder, LOCK))
                os.rmdir(folder)


def _unlink(path: str) -> bool:
    """Whether there was such a file."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # gone, of somebody else, or not for this user
        return []
