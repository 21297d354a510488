"""Fold records with the projector alone; `no_database` runs it where no database can be imported.

Reads a JSON list of records from standard input and prints every row of the projection, by the name of its type.
"""

import json
import sys
from collections.abc import Sequence

from headwater_consumer.projector import DecodedRecord, apply_record
from headwater_consumer.rows import EntryRow
from headwater_schemas import codec
from headwater_schemas.errors import UndecodableEvent
from headwater_schemas.events import Stamped
from headwater_schemas.positions import Position

from tests.consumer.memory_state import MemoryState


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
        position = Position(str(record["generation"]), int(str(record["partition"])), int(str(record["offset"])))
        decoded = DecodedRecord(str(record["key"]), payload, position, int(str(record["time_us"])), content)
        for changes in apply_record(decoded, state):
            state.write(changes)
    return state


def main() -> None:
    state = fold(json.load(sys.stdin))
    rows = {row_type.__name__: [repr(row) for row in found.values()] for row_type, found in state.rows.items()}
    rows[EntryRow.__name__] = [repr(row) for layer in state.entries.values() for row in layer]
    print(json.dumps({name: sorted(found) for name, found in rows.items() if found}))
