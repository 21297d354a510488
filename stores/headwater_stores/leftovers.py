"""What no event can refer to any more: bytes that writers staged and left, such as a process that was killed.

What was published is collected by `collecting`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from headwater_blobs.port import BlobStore, StoredObject

from headwater_stores.telling.progress import counted, format_bytes

GRACE_S = 24 * 3600.0  # so that what an interrupted command staged is still there when it is run again the next day


@dataclass(frozen=True, slots=True)
class Amount:
    """Staged files, or incomplete uploads."""

    count: int
    size_bytes: int  # that deleting them frees

    def __str__(self) -> str:
        """`1.2 GB of staged content in 3 files`."""
        return f"{format_bytes(self.size_bytes)} of staged content in {counted(self.count, 'file')}"

    @classmethod
    def of(cls, found: Iterable[StoredObject]) -> "Amount":
        """The sum of a listing."""
        sizes = [one.size for one in found]
        return cls(len(sizes), sum(sizes))


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """What a collection deleted, or would delete."""

    deleted: Amount
    recent: Amount  # not yet: written within the grace period, by a writer that is gone or cannot be told from one


NOTHING = Reclaimed(Amount(0, 0), Amount(0, 0))


def reclaimable(blobs: BlobStore, *, grace_s: float = GRACE_S) -> Amount:
    """What `reclaim` would delete. Cost: lists all that is staged. Raises: StoreUnavailable."""
    return Amount.of(blobs.reclaim(idle_s=grace_s, dry_run=True))


def reclaim(blobs: BlobStore, *, grace_s: float = GRACE_S, dry_run: bool) -> Reclaimed:
    """Delete what writers left more than `grace_s` seconds ago; with `dry_run` only count it.

    Cost: lists all that is staged, twice. Raises: StoreUnavailable, StoreReadOnly.
    """
    deleted = Amount.of(blobs.reclaim(idle_s=grace_s, dry_run=dry_run))
    left = reclaimable(blobs, grace_s=0)
    if dry_run:
        left = Amount(max(0, left.count - deleted.count), max(0, left.size_bytes - deleted.size_bytes))
    return Reclaimed(deleted, left)
