"""Broadcasts: events for every partition, whose writer ended before all had them."""

from headwater_eventlog.port import EventLog, NewRecord
from headwater_schemas import codec, headers

from headwater_consumer.database import Database
from headwater_consumer.queries.broadcasts import missing_broadcasts

APPEND_TIMEOUT_S = 60.0


def finish_broadcasts(database: Database, log: EventLog) -> int:
    """Write each event that some partitions lack to those, and return how many records that took.

    It is the same event, of the same session and sequence: should its writer still send it, it counts once. The caller
    waits for the projection. Raises: DurabilityUnknown, StoreUnavailable; the next run writes what is missing then.
    """
    written = 0
    for partition, event in missing_broadcasts(database, log.partitions):
        of_event = headers.of_event(codec.decode(bytes(event.payload)))
        log.append([NewRecord(event.key, bytes(event.payload), of_event, partition)], timeout_s=APPEND_TIMEOUT_S)
        written += 1
    return written
