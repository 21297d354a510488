"""When a file's times tell of every later change, so that its digest can be remembered with them.

A write moves the times of a file. A write through a memory map moves them only where its page was clean: after that,
nothing shows until the system has written the page back, which begins 30 s after the change and is over in less than
TRUSTED_AGE_NS on a disk that keeps up. So a file that was older than that when it was read is trusted: its next change
moves its times, whatever their resolution.

tmpfs never writes back, and FAT has no time that programs cannot set back: files there are never trusted.
"""

import os
from collections.abc import Iterator

TRUSTED_AGE_NS = 60_000_000_000
SILENT_FILE_SYSTEMS = frozenset({"devtmpfs", "exfat", "msdos", "ramfs", "rootfs", "tmpfs", "vfat"})

_MOUNTS = "/proc/self/mountinfo"


def is_trusted(mtime_ns: int, ctime_ns: int, read_ns: int) -> bool:
    """Whether every change after `read_ns` will be visible in the times of a file that had these then."""
    return max(mtime_ns, ctime_ns) < read_ns - TRUSTED_AGE_NS


class FileSystems:
    """The file systems that are mounted now."""

    def __init__(self) -> None:
        self._types: dict[int, str] | None = None  # by device number

    def tell_changes(self, device: int) -> bool:
        """Whether the times of files there tell of changes. True where the type of the file system is unknown."""
        if self._types is None:
            self._types = dict(_mounted())
        return self._types.get(device) not in SILENT_FILE_SYSTEMS


def _mounted() -> Iterator[tuple[int, str]]:
    """Device number and type of each file system; nothing on systems without such a list."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
    except OSError:
        return
    for line in lines:  # see proc_pid_mountinfo(5)
        mount, _, super_block = line.partition(" - ")
        major, _, minor = mount.split(" ")[2].partition(":")
        yield os.makedev(int(major), int(minor)), super_block.partition(" ")[0]
