"""Sums over the versions of a collection or a project: how much room they take, and how that grew."""

import json
from collections import Counter
from datetime import UTC, datetime
from heapq import heappush, heapreplace
from typing import NamedTuple

from headwater_consumer.queries.usage import AddedBytes, VersionUsage

LISTED_MAX = 5  # of the largest versions, and of the oldest

COUNTED_AT_ONCE_MAX = 2_000  # versions, which are counted in about a tenth of a second

_NUMBERS = ("live_versions", "deleted_versions", "files", "needed_bytes", "reclaimable_bytes")


def is_large(versions: int) -> bool:
    """Whether counting so many keeps one waiting, so that they are shown as they were last counted."""
    return versions > COUNTED_AT_ONCE_MAX


class SizedVersion(NamedTuple):
    """A live version in a list."""

    collection: str
    version: int
    size_bytes: int
    created_us: int


class UsageTotals:
    """The sum of what versions added. Memory: some lists of LISTED_MAX, and a number for each month."""

    def __init__(self) -> None:
        self.live_versions = 0
        self.deleted_versions = 0
        self.files = 0  # of live versions, each counted for itself
        self.needed_bytes = 0
        self.reclaimable_bytes = 0
        self._largest: list[tuple[int, str, int, SizedVersion]] = []  # a heap, the smallest of them first
        self._oldest: list[tuple[int, str, int, SizedVersion]] = []  # a heap, the newest of them first
        self._added: Counter[str] = Counter()

    def add(self, collection: str, usage: VersionUsage, added: AddedBytes) -> None:
        """Count a version. `added`: what it added to that of which this is the sum."""
        self.needed_bytes += added.needed
        self.reclaimable_bytes += added.reclaimable
        self._added[_month(usage.created_us)] += added.needed + added.reclaimable
        if usage.deleted:
            self.deleted_versions += 1
            return
        self.live_versions += 1
        self.files += usage.files
        one = SizedVersion(collection, usage.version, usage.size_bytes, usage.created_us)
        _keep(self._largest, (one.size_bytes, collection, one.version, one))
        _keep(self._oldest, (-one.created_us, collection, -one.version, one))

    def to_text(self) -> str:
        """To be written down."""
        numbers = (getattr(self, name) for name in _NUMBERS)
        lists = [[[*key[:-1], list(key[-1])] for key in heap] for heap in (self._largest, self._oldest)]
        return json.dumps([*numbers, *lists, self._added], ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> "UsageTotals":
        """What `to_text` made."""
        totals = cls()
        *numbers, largest, oldest, added = json.loads(text)
        for name, number in zip(_NUMBERS, numbers, strict=True):
            setattr(totals, name, number)
        for heap, found in ((totals._largest, largest), (totals._oldest, oldest)):
            heap += [(order, name, version, SizedVersion(*one)) for order, name, version, one in found]
        totals._added.update(added)
        return totals

    @property
    def versions(self) -> int:
        """The deleted ones included."""
        return self.live_versions + self.deleted_versions

    @property
    def stored_bytes(self) -> int:
        """Of the distinct contents of all versions."""
        return self.needed_bytes + self.reclaimable_bytes

    @property
    def largest(self) -> list[SizedVersion]:
        """The live versions with the most bytes, the largest first."""
        return [item[-1] for item in sorted(self._largest, reverse=True)]

    @property
    def oldest(self) -> list[SizedVersion]:
        """The live versions that were logged first."""
        return [item[-1] for item in sorted(self._oldest, reverse=True)]

    @property
    def added_by_month(self) -> dict[str, int]:
        """`{"2026-11": 1_200}`: the bytes that the versions of each month added and that no other had, by month."""
        return dict(sorted(self._added.items()))


def _keep(heap: list[tuple[int, str, int, SizedVersion]], item: tuple[int, str, int, SizedVersion]) -> None:
    """Add to a heap that has the LISTED_MAX greatest."""
    if len(heap) < LISTED_MAX:
        heappush(heap, item)
    elif item > heap[0]:
        heapreplace(heap, item)


def _month(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m")
