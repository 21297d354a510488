"""Bytes on their way to a server: held in memory until they go along with their events, or uploaded for a receipt."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from headwater_runtime import fork_hooks
from headwater_schemas.object_names import project_of

HELD_BYTES_MAX = 256 * 1024  # of one pack; a larger one is uploaded by itself
HELD_CONTENTS_MAX = 512  # as above
HELD_BYTES_TOTAL_MAX = 12 * 1024 * 1024  # of all packs that are held; beyond that, each is uploaded
HELD_CONTENTS_TOTAL_MAX = 4096  # as above

IN_VAIN_MAX = 65_536  # contents that are remembered, for a message


@dataclass(slots=True)
class StagedContent:
    """Content of one staged pack or file."""

    algorithm: str  # of its digests
    contents: Sequence[bytes] = field(default=(), repr=False)  # that are held; empty where they are on the server
    receipts: dict[str, bytes] = field(default_factory=dict, repr=False)  # by project
    labels: set[str] = field(default_factory=set)  # under which it was published
    is_gone: bool = False  # the server had it, and has it no more

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return sum(map(len, self.contents))


class StagedContents:
    """What one process has staged, by handle and by label. Safe to use from threads and after a fork."""

    def __init__(self) -> None:
        self._by_handle: dict[str, StagedContent] = {}
        self._by_label: dict[str, StagedContent] = {}
        self._held_bytes = self._held_contents = 0
        self._in_vain: dict[bytes, int] = {}  # what was held and sent, and stored before → its size
        self._lock = threading.Lock()
        fork_hooks.register_object(self, in_child=StagedContents._new_lock)

    def may_hold(self, count: int, size: int) -> bool:
        """Whether so many contents, and bytes, may be held until their events are sent: all may be named at once."""
        is_small = count <= HELD_CONTENTS_MAX and size <= HELD_BYTES_MAX
        has_room = self._held_contents + count <= HELD_CONTENTS_TOTAL_MAX
        return is_small and has_room and self._held_bytes + size <= HELD_BYTES_TOTAL_MAX

    def add(self, handle: str, staged: StagedContent) -> None:
        """Remember what was staged."""
        with self._lock:
            self._by_handle[handle] = staged
            self._held_bytes += staged.size
            self._held_contents += len(staged.contents)

    def get(self, handle: str) -> StagedContent | None:
        """What was staged by this process, or its parent."""
        return self._by_handle.get(handle)

    def publish(self, handle: str, label: str) -> None:
        """Events name it by `label` from now on."""
        staged = self._by_handle[handle]
        with self._lock:
            staged.labels.add(label)
            self._by_label[label] = staged

    def discard(self, handle: str) -> None:
        """No event will name it any more."""
        with self._lock:
            staged = self._by_handle.pop(handle, None)
            for label in staged.labels if staged is not None else ():
                self._by_label.pop(label, None)
            if staged is not None:
                self._held_bytes -= staged.size
                self._held_contents -= len(staged.contents)

    def has(self, label: str) -> bool:
        """Whether this process has published something under `label`."""
        return label in self._by_label

    def note_gone(self, payloads: Sequence[bytes]) -> None:
        """The server lacks some of what these events name: what is not held here has to be uploaded again."""
        for _, staged in self.named_in(payloads):
            staged.is_gone = not staged.contents

    def note_in_vain(self, digest: bytes, size: int) -> None:
        """The server had this content before it was sent."""
        if len(self._in_vain) >= IN_VAIN_MAX:
            self._in_vain.clear()
        self._in_vain[digest] = size

    def in_vain(self, contents: Iterable[bytes]) -> dict[bytes, int]:
        """Those of these contents that the server had before they were sent, each told once."""
        return {d: self._in_vain.pop(d) for d in contents if d in self._in_vain} if self._in_vain else {}

    def named_in(self, payloads: Sequence[bytes]) -> Iterator[tuple[str, StagedContent]]:
        """Project and content of each label that occurs in these encoded events.

        A label has 128 random bits or a digest in it and stands in the bytes as it is, so that nothing is decoded.
        """
        with self._lock:
            labels = list(self._by_label.items())
        for label, staged in labels:
            text = label.encode()
            if any(text in payload for payload in payloads):
                yield project_of(label), staged

    def _new_lock(self) -> None:
        self._lock = threading.Lock()


_of_servers: WeakValueDictionary[str, StagedContents] = WeakValueDictionary()


def staged_for(server: str) -> StagedContents:
    """What this process has staged for the server of this name, by whichever of the stores that it opened there.

    A child of a fork opens one of its own, and logs what its parent staged by another.
    """
    return _of_servers.setdefault(server, StagedContents())
