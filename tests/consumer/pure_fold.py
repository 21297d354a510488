"""Fold records with the projector alone; `no_database` runs it where no database can be imported.

Reads what `input_of` gives from standard input, and prints the projection's fingerprint and all rows by their type.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headwater_consumer.projector import DecodedRecord, apply_record
from headwater_consumer.rows import EntryRow, ObjectLayerRow, ProjectionRow
from headwater_consumer.rows.canonical import digest_of_table, fingerprint_of
from headwater_schemas import codec
from headwater_schemas.errors import UndecodableEvent
from headwater_schemas.events import Stamped
from headwater_schemas.positions import Position

from tests.consumer.memory_state import MemoryState

if TYPE_CHECKING:  # it imports the log's package, which is blocked where this runs
    from tests.support.memory_log import MemoryLog


def fold(records: Sequence[Mapping[str, Any]]) -> MemoryState:
    """All records, one by one."""
    state = MemoryState()
    for record in records:
        payload = bytes.fromhex(record["payload"])
        content: Stamped | UndecodableEvent
        try:
            content = codec.decode(payload)
        except UndecodableEvent as error:
            content = error
        headers = tuple((name, bytes.fromhex(value)) for name, value in record["headers"])
        position, times = Position(*record["position"]), (record["time_us"], record["append_us"])
        for changes in apply_record(DecodedRecord(record["key"], payload, headers, position, *times, content), state):
            state.write(changes)
    return state


def input_of(log: "MemoryLog") -> str:
    """The records of a log, each with where and when it was first written, and the tables of a database."""
    from headwater_consumer.database.row_mapping import table_of
    from headwater_consumer.database.tables import FINGERPRINTED
    from headwater_consumer.writing.decoding import decode_records

    records = [
        {
            "key": record.key,
            "payload": record.payload.hex(),
            "headers": [(name, value.hex()) for name, value in record.headers],
            "position": (record.position.epoch, record.position.partition, record.position.offset),
            "time_us": record.time_us,
            "append_us": record.append_us,
        }
        for partition in range(log.partitions)
        for record in decode_records(log.read(partition, after=-1, limit=sys.maxsize), 0, log.ancestors).records
    ]
    return json.dumps({"records": records, "tables": {one.__name__: table_of(one).name for one in FINGERPRINTED}})


def _tables(state: MemoryState, names: Mapping[str, str]) -> dict[str, list[ProjectionRow]]:
    """Table → its rows in the order of the primary key."""
    rows = {row_type.__name__: list(found.values()) for row_type, found in state.rows.items()}
    rows[ObjectLayerRow.__name__] = list(state.object_layers())
    rows[EntryRow.__name__] = [row for layer in state.entries.values() for row in layer]
    tables = sorted((name, rows.get(row_type, [])) for row_type, name in names.items())
    return {name: sorted(found, key=_primary_key) for name, found in tables}


def _primary_key(row: ProjectionRow) -> tuple[Any, ...]:
    """As databases compare it: texts by their bytes."""
    values = [getattr(row, name) for name in type(row).primary_key]
    return tuple(value.encode() if isinstance(value, str) else value for value in values)


def main() -> None:
    given = json.load(sys.stdin)
    tables = _tables(fold(given["records"]), given["tables"])
    digests = [(name, digest_of_table(name, [[type(row).values(row) for row in of]])) for name, of in tables.items()]
    rows = {type(found[0]).__name__: sorted(map(ascii, found)) for found in tables.values() if found}
    print(json.dumps({"fingerprint": fingerprint_of(digests), "rows": rows}))
