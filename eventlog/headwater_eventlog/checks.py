"""Checks of the arguments of `EventLog`, shared by all adapters."""

from collections.abc import Sequence

from headwater_schemas.errors import InvalidInput
from headwater_schemas.limits import EVENT_BYTES_MAX

from headwater_eventlog.port import BYTES_PER_APPEND_MAX, KEY_BYTES_MAX, RECORDS_PER_APPEND_MAX, NewRecord


def check_append(records: Sequence[NewRecord], partitions: int) -> None:
    """Check everything but headers, which `header_block.pack` checks. Raises: InvalidInput."""
    if len(records) > RECORDS_PER_APPEND_MAX:
        raise InvalidInput(
            f"{len(records):,} records in one append; at most {RECORDS_PER_APPEND_MAX:,} are allowed. Split it."
        )
    if (size := sum(len(record.payload) for record in records)) > BYTES_PER_APPEND_MAX:
        raise InvalidInput(f"{size:,} bytes in one append; at most {BYTES_PER_APPEND_MAX:,} are allowed. Split it.")
    for record in records:
        if len(record.payload) > EVENT_BYTES_MAX:
            raise InvalidInput(
                f"a record of {record.key!r} has {len(record.payload):,} bytes; at most {EVENT_BYTES_MAX:,} are "
                "allowed. Split its content over several events."
            )
    for key in {record.key for record in records}:
        _check_key(key)
    for partition in {record.partition for record in records if record.partition is not None}:
        check_partition(partition, partitions)


def _check_key(key: str) -> None:
    if (size := len(key.encode())) > KEY_BYTES_MAX:
        raise InvalidInput(
            f"the key {key[:60]!r}… has {size:,} bytes; at most {KEY_BYTES_MAX:,} are allowed. Shorten it."
        )


def check_partition(partition: int, partitions: int) -> None:
    """Raises: InvalidInput."""
    if not 0 <= partition < partitions:
        numbers = "one, number 0" if partitions == 1 else f"{partitions}, numbered from 0"
        raise InvalidInput(f"there is no partition {partition}: this log has {numbers}. Use one of those.")
