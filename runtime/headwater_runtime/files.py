"""Atomic and durable writes: after a crash or a power cut, a file is complete or absent."""

import errno
import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

from headwater_runtime.shared_files import follow_folder

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}  # no space is left, or none for this user
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}


def write_atomically(path: Path, content: bytes, *, overwrite: bool = True, is_secret: bool = False) -> None:
    """Write `content` to `path`, durably. A file stays where `overwrite` is False.

    It is for all who share the folder; a secret is for this user alone, from its first byte on.
    Raises: OSError. A process that is killed meanwhile may leave a file for which `is_temporary` is true.
    """
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb", opener=_open_secret if is_secret else None) as file:
            file.write(content)
            file.flush()
            if not is_secret:
                follow_folder(file.fileno(), path.parent)
            os.fsync(file.fileno())
        if overwrite:
            os.replace(temporary, path)
        else:
            with suppress(FileExistsError):
                _rename_to_new(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    sync_folder(path.parent)


def is_temporary(name: str, of: str | None = None) -> bool:
    """Whether the file called `name` is what a killed `write_atomically` left of the file called `of`, or of any."""
    return re.fullmatch(rf"\.{'.+' if of is None else re.escape(of)}-[0-9a-f]{{32}}", name) is not None


def move_into_place(source: Path, target: Path) -> None:
    """Rename `source`, whose content is already durable, to `target`, durably, replacing an existing file."""
    os.replace(source, target)
    sync_folder(target.parent)


def link_to_new(source: str | Path, target: str | Path) -> bool:
    """Give `source` the name `target` too. False, with nothing done, on a file system without hard links.

    Raises: FileExistsError, on either kind of file system; FileNotFoundError.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.exists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        return False
    return True


def make_folders(folder: Path, *, durable: bool = True) -> None:
    """Make `folder` and its parents, for all who share the folder above, unless they exist. Raises: OSError."""
    missing = [folder]
    while not missing[-1].exists():
        missing.append(missing[-1].parent)
    for new in reversed(missing[:-1]):
        with suppress(FileExistsError):  # another process made it meanwhile
            new.mkdir()
            follow_folder(new, new.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    for parent in missing[1:] if durable else ():
        sync_folder(parent)


def sync_file(path: Path) -> None:
    """Make the content of a file durable, whoever wrote it. Raises: OSError."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: str | Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot sync folders keeps names by other means
            raise
    finally:
        os.close(descriptor)


def _open_secret(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _rename_to_new(source: Path, target: Path) -> None:
    """Give `source` the name `target`. Raises: FileExistsError."""
    if not link_to_new(source, target):
        os.rename(source, target)
