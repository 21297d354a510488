"""What a reader finds in a store that does not exist yet: nothing. Nothing is created by reading it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.database import Database
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.queries.reads import DirectReads
from headwater_eventlog.port import NewRecord, Record
from headwater_schemas.errors import StoreMissing
from headwater_schemas.positions import BEFORE_FIRST

from headwater_stores.stores import Stores

_NOWHERE = Path("/nonexistent")  # nothing is there by convention; nothing asks for it


def nothing_in(name: str, missing: StoreMissing, is_current: Callable[[], bool]) -> Stores:
    """Stores without any content, which cannot be written. `missing` is the error for whoever needs a store."""
    log, database = _NoLog(missing), Database.in_memory(name)
    projection = EmbeddedProjection(log, database, _NOWHERE)
    blobs = FolderBlobStore(str(_NOWHERE), "", read_only=True)
    reads = DirectReads(database)
    return Stores(name, log, blobs, database, reads, projection, read_only=True, is_current=is_current, missing=missing)


class _NoLog:
    """An `EventLog` without records."""

    generation = ""
    ancestors: tuple[str, ...] = ()
    partitions = 1

    def __init__(self, missing: StoreMissing) -> None:
        self._missing = missing

    def partition_of(self, key: str) -> int:
        del key
        return 0

    def append(self, records: Sequence[NewRecord], *, timeout_s: float) -> NoReturn:
        del records, timeout_s
        raise self._missing

    def read(self, partition: int, *, after: int, limit: int = 0) -> Sequence[Record]:
        del partition, after, limit
        return ()

    def end(self, partition: int) -> int:
        del partition
        return BEFORE_FIRST

    def ends(self) -> Mapping[int, int]:
        return {0: BEFORE_FIRST}

    def close(self) -> None:
        """Nothing is open."""
