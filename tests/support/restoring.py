"""Restore one log into another in one go, as `headwater restore-log` and `headwater copy` do in their own ways."""

from collections.abc import Iterator

from headwater_consumer.writing.restore import NOTHING, as_restored, check_target
from headwater_eventlog.port import EventLog, NewRecord, identity_of


def restored_records(source: EventLog, partition: int) -> Iterator[NewRecord]:
    """The records of one partition as they are appended to a log with `ancestors_after(source)`, in order."""
    reached = NOTHING
    while records := source.read(partition, after=reached.offset):
        restored, reached = as_restored(source, records, reached)
        yield from restored


def restore(source: EventLog, target: EventLog, *, timeout_s: float = 5) -> int:
    """Append all records of `source` to `target`, which is new; how many they are."""
    check_target(source, identity_of(target))
    count = 0
    for partition in range(source.partitions):
        records = list(restored_records(source, partition))
        target.append(records, timeout_s=timeout_s)
        count += len(records)
    return count
