"""Objects that this process has just put or seen: whoever publishes one need not ask the server for it again."""

import time

TRUSTED_S = 60.0  # collectors leave what is younger than hours
OBJECTS_MAX = 65_536  # remembered, about 10 MB of names; beyond that, the server is asked once more


class RecentlySeen:
    """Objects that are staged and not published yet. For any thread, and for both processes after a fork."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[float, int]] = {}  # object → when it was seen, and its size

    def add(self, name: str, size: int) -> None:
        """The server has this object, whole."""
        if len(self._objects) >= OBJECTS_MAX:
            self._objects.clear()
        self._objects[name] = time.monotonic(), size

    def pop(self, name: str, size: int) -> bool:
        """Whether the server had it lately, in this size. Answers so once."""
        seen_s, known_size = self._objects.pop(name, (0.0, None))
        return known_size == size and time.monotonic() - seen_s < TRUSTED_S

    def forgotten(self, name: str) -> str:
        """The name of an object that may be gone from now on."""
        self._objects.pop(name, None)
        return name
