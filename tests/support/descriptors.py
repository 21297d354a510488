"""What this process has open. Only one folder counts: threads of earlier tests open and close files and sockets too."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def open_under(folder: Path) -> list[str]:
    """The paths of all descriptors in `folder`, sorted; a file that is open twice is there twice."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:
            continue  # the listing itself, or closed meanwhile
    return sorted(path for path in found if Path(path).is_relative_to(folder))


def opened_since(folder: Path, before: Sequence[str]) -> list[str]:
    """What is open in `folder` and was not `before`. What was closed does not count: idle threads close theirs."""
    return sorted((Counter(open_under(folder)) - Counter(before)).elements())
