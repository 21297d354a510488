"""Projecting as tests need it: a whole log, records given by hand, and a projection emptied for the next test."""

from collections.abc import Sequence

from headwater_consumer.database import Database
from headwater_consumer.database.row_mapping import table_name
from headwater_consumer.database.tables import ROW_TYPES
from headwater_consumer.writing.batches import Batch
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import EventLog, Record
from headwater_schemas.errors import UnknownSchema


def project_all(log: EventLog, projector: Projector) -> int:
    """Apply all of `log`, batch by batch, and return how many records that was.

    Raises: as `Projector.project_batch`; of partitions that stop at an unknown schema the first, after all others.
    """
    total, stopped = 0, None
    for partition in range(log.partitions):
        try:
            while applied := projector.project_batch(partition):
                total += applied
        except UnknownSchema as unknown:
            stopped = stopped or unknown
    if stopped is not None:
        raise stopped
    return total


def apply_records(projector: Projector, partition: int, records: Sequence[Record]) -> int:
    """Apply `records`, in order, in one transaction, less those that were applied before; returns how many counted."""
    cursor = projector.cursor(partition)
    new = [record for record in records if record.position.offset > cursor.offset]
    if not new:
        return 0
    applied = projector.apply([Batch(cursor, new)])[partition]
    if applied.stopped is not None and not applied.count:
        raise applied.stopped
    return applied.count


def empty(database: Database) -> None:
    """Delete all rows; from then on it is the projection of no log."""
    with database.transaction() as connection:
        connection.driver.execute("DELETE FROM projection_meta WHERE name IN ('log', 'partitions', 'ancestors')")
        for row_type in ROW_TYPES:
            connection.driver.execute(f"DELETE FROM {table_name(row_type)}")
