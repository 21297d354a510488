"""Which names are left out of a folder: gitignore rules, from `.headwaterignore` files and from the caller.

They count as they do for Git: in the folder of their file and below. The last rule that matches a name decides; the
rules of a deeper file come after those of the folders above it, the caller's after all others. What is below a folder
that is left out cannot be included again. `.headwaterignore` itself is never left out, so that whoever has the files
has their rules.
"""

import errno
import os
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headwater_blobs.local_sources import read_at
from headwater_schemas.errors import InvalidFile, InvalidInput

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".headwaterignore"
IGNORE_FILE_BYTES_MAX = 1024 * 1024  # far more than people write

_BYTE_ORDER_MARK = "\ufeff"
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # opening a FIFO must not block
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_FILE = {errno.ENOENT, errno.ELOOP, errno.ENXIO}


class IgnoreRules:
    """The rules that count in one folder. Paths are relative to the root, with forward slashes."""

    def __init__(self, given: "GitIgnoreSpec | None", files: "tuple[tuple[str, GitIgnoreSpec], ...]" = ()) -> None:
        """`given` by the caller, and the rules of `files` by their folders ("" or "a/b/"), deepest first."""
        self._given = given
        self._files = files

    def with_file(self, folder: str, content: bytes, location: str) -> "IgnoreRules":
        """These rules, then those of the ignore file in `folder`. Raises: InvalidFile naming the file's `location`."""
        try:
            spec = _parse(content.decode("utf-8").removeprefix(_BYTE_ORDER_MARK).split("\n"))
        except UnicodeDecodeError as error:
            raise InvalidFile(f"{location!r} is not UTF-8 text, so its rules cannot be read. Correct it.") from error
        except ValueError as error:
            raise InvalidFile(f"{location!r} has a line that is no rule of gitignore: {error}. Correct it.") from error
        return IgnoreRules(self._given, ((f"{folder}/" if folder else "", spec), *self._files))

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """True: left out. False: a rule says that it is not. None: no rule matches."""
        if not is_folder and path.rpartition("/")[2] == IGNORE_FILE:
            return False
        name = f"{path}/" if is_folder else path
        found = None if self._given is None else self._given.check_file(name).include
        for folder, spec in self._files if found is None else ():
            found = spec.check_file(name[len(folder) :]).include
            if found is not None:
                break
        return found


NO_RULES = IgnoreRules(None)


def rules_of(patterns: Sequence[str]) -> IgnoreRules | None:
    """The rules of a caller; None where there are none. Raises: InvalidInput naming a pattern that is none."""
    if isinstance(patterns, str) or not all(isinstance(pattern, str) and "\n" not in pattern for pattern in patterns):
        raise InvalidInput(f"ignore takes a list of gitignore patterns such as ['*.tmp'], not {patterns!r:.80}.")
    if not patterns:
        return None
    try:
        return IgnoreRules(_parse(patterns))
    except ValueError as error:
        raise InvalidInput(f"ignore has a pattern that is no rule of gitignore: {error}.") from error


def read_ignore_file(location: str, name: str | None = None, folder: int | None = None) -> bytes | None:
    """The content of the ignore file at `location`; None where that is no file.

    With the descriptor of its `folder`, it is opened by `name` in that, and no link is followed.
    Raises: InvalidFile when it cannot be read, or is too large.
    """
    links = 0 if folder is None else _NO_LINK
    try:
        descriptor = os.open(location if name is None else name, _READ | links, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = read_at(descriptor, 0, IGNORE_FILE_BYTES_MAX + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise InvalidFile(f"the rules in {location!r} cannot be read: {error.strerror}. Make it readable.") from error
    if len(content) > IGNORE_FILE_BYTES_MAX:
        raise InvalidFile(f"{location!r} has more than {IGNORE_FILE_BYTES_MAX:,} bytes of rules. Shorten it.")
    return content


def _parse(lines: Sequence[str]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # deferred: few folders have rules

    return GitIgnoreSpec.from_lines([line.removesuffix("\r") for line in lines])
