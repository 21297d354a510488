"""Copy the records of a log into another one, as far as that lacks them: into a restored log, or a store's copy.

Nothing is remembered besides: how far the target has the source is told by its last records, so the next copy
continues where one was interrupted. Records keep their positions and times, see `restore`.
"""

from collections.abc import Callable, Sequence

from headwater_eventlog.port import EventLog, NewRecord, Record, identity_of
from headwater_schemas.errors import StoreNotOurs

from headwater_consumer.writing.restore import as_restored, check_target, in_batches, reached_in


def _nothing(_: Sequence[Record]) -> None:
    """All that is to be done where records alone are copied."""


class LogCopy:
    """The log of a source, and the one that becomes its copy. Nobody else may write there."""

    def __init__(self, source: EventLog, target: EventLog) -> None:
        """Raises: InvalidInput when `target` is no log for copies of `source`; StoreNotOurs when others write there."""
        check_target(source, identity_of(target))
        self._source, self._target = source, target
        self._ends = source.ends()
        self._copied_ends = dict(target.ends())
        self._reached = {n: reached_in(target, source, n) for n in range(source.partitions)}
        for partition, reached in self._reached.items():
            if reached.offset > self._ends[partition]:
                raise StoreNotOurs(
                    f"partition {partition} of log {source.generation} ends at offset {self._ends[partition]:,}, and "
                    f"was copied up to offset {reached.offset:,}: an older copy of the source was put in its place. "
                    "Nothing was copied; put the newer one back."
                )

    @property
    def offsets(self) -> int:
        """How many offsets of the source are to be copied."""
        return sum(self._ends[partition] - reached.offset for partition, reached in self._reached.items())

    def run(
        self,
        *,
        timeout_s: float,
        watch: Callable[[int], None],
        before_append: Callable[[Sequence[Record]], None] = _nothing,
    ) -> int:
        """Copy what the source has by now; returns how many records. `watch` gets the offsets of each step.

        `before_append` gets the records of each step; `timeout_s` bounds each append. Raises: as `before_append`;
        StoreNotOurs when somebody else writes to the target; as `EventLog.append`. Run it again then.
        """
        return sum(self._run_partition(n, timeout_s, watch, before_append) for n in self._reached)

    def _run_partition(
        self,
        partition: int,
        timeout_s: float,
        watch: Callable[[int], None],
        before_append: Callable[[Sequence[Record]], None],
    ) -> int:
        reached, copied = self._reached[partition], 0
        while reached.offset < self._ends[partition]:
            records = self._source.read(partition, after=reached.offset)
            if not records:
                break  # transaction markers take the last offsets
            before_append(records)
            restored, reached_now = as_restored(self._source, records, reached)
            for batch in in_batches(restored):
                self._append(partition, batch, timeout_s)
            copied += len(restored)
            watch(reached_now.offset - reached.offset)
            reached = reached_now
        self._reached[partition] = reached
        return copied

    def _append(self, partition: int, batch: Sequence[NewRecord], timeout_s: float) -> None:
        positions = self._target.append(batch, timeout_s=timeout_s)
        expected = self._copied_ends[partition] + 1
        if positions[0].offset != expected or positions[-1].offset != expected + len(batch) - 1:
            raise StoreNotOurs(
                f"another process wrote to partition {partition} of log {self._target.generation} beside the copy, "
                f"between offsets {expected:,} and {positions[-1].offset:,}. The copy is no copy any more: delete it, "
                "end what writes to it, and begin again."
            )
        self._copied_ends[partition] = positions[-1].offset
