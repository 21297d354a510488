"""Fold records with the projector alone; `no_database` runs it where no database can be imported.

Reads a JSON list of records from standard input and prints every row of the projection, by the name of its type.
"""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headwater_consumer.projector import DecodedRecord, apply_record
from headwater_consumer.rows import EntryRow
from headwater_schemas import codec
from headwater_schemas.errors import UndecodableEvent
from headwater_schemas.events import Stamped
from headwater_schemas.keys import stored_key
from headwater_schemas.positions import Position

from tests.consumer.memory_state import MemoryState

if TYPE_CHECKING:  # it imports the log's package, which is blocked where this runs
    from tests.support.memory_log import MemoryLog


def fold(records: Sequence[dict[str, object]]) -> MemoryState:
    """All records, one by one."""
    state = MemoryState()
    for record in records:
        payload = bytes.fromhex(str(record["payload"]))
        content: Stamped | UndecodableEvent
        try:
            content = codec.decode(payload)
        except UndecodableEvent as error:
            content = error
        position = Position(int(str(record["epoch"])), int(str(record["partition"])), int(str(record["offset"])))
        key, time_us = stored_key(str(record["key"])), int(str(record["time_us"]))
        decoded = DecodedRecord(key, payload, (), position, time_us, time_us, content)
        for changes in apply_record(decoded, state):
            state.write(changes)
    return state


def records_of(log: "MemoryLog") -> str:
    """The records of partition 0, as `main` reads them."""
    return json.dumps(
        [
            {
                "epoch": record.position.epoch,
                "partition": record.position.partition,
                "offset": record.position.offset,
                "time_us": record.time_us,
                "key": record.key,
                "payload": record.payload.hex(),
            }
            for record in log.read(0, after=-1)
        ]
    )


def main() -> None:
    state = fold(json.load(sys.stdin))
    rows = {row_type.__name__: [ascii(row) for row in found.values()] for row_type, found in state.rows.items()}
    rows[EntryRow.__name__] = [ascii(row) for layer in state.entries.values() for row in layer]
    print(json.dumps({name: sorted(found) for name, found in rows.items() if found}))
