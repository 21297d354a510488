"""The errors for local files and folders that cannot be added: each names its file, and says what to do."""

import errno
import os
import stat
from typing import NoReturn

from headwater_schemas.errors import InvalidFile

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
}


def refuse_root(location: str) -> NoReturn:
    """Raises: InvalidFile for what is no folder."""
    try:
        result = os.stat(location)
    except (OSError, ValueError) as error:
        refuse(location, error)
    raise InvalidFile(f"{location!r} is {_kind(result.st_mode)}, not a folder. Pass a folder, or use `add_file`.")


def refuse_kind(location: str, mode: int) -> NoReturn:
    """Raises: InvalidFile for what is no regular file."""
    advice = "Add it as a folder." if stat.S_ISDIR(mode) else "Only files and folders can be added: move it elsewhere."
    raise InvalidFile(f"{location!r} is {_kind(mode)}, not a file. {advice}")


def refuse(location: str, error: OSError | ValueError) -> NoReturn:
    """Raises: InvalidFile that explains `error` for the file or folder at `location`."""
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    if os.path.islink(location) and number in (errno.ENOENT, errno.ENOTDIR):
        problem = (
            f"is a link to {os.readlink(location)!r}, which does not exist. Restore its target or remove the link."
        )
    elif number == errno.ELOOP:
        problem = "is a link to itself. Remove the link."
    elif number in (errno.ENOENT, errno.ENOTDIR):
        problem = "does not exist. Check the path; if another process removes files meanwhile, let it finish first."
    elif number in (errno.EACCES, errno.EPERM):
        problem = "is not readable with your permissions. Change its permissions, or leave it out."
    else:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problem = f"cannot be read: {reason}. Check the path and the file system."
    raise InvalidFile(f"{location!r} {problem}") from error


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "something else")
