"""Ways to look at a projection that do not go through the code that made it: plain SQL over its tables."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from headwater_consumer.database import Database
from headwater_consumer.database.connection import SQLITE, Connection
from headwater_consumer.database.fingerprint import fingerprint
from headwater_consumer.database.row_mapping import column_names, table_of
from headwater_consumer.database.tables import ROW_TYPES
from headwater_consumer.rows import EXECUTABLE, REFERENCE, REMOVED, ProjectionRow
from headwater_consumer.writing.runner import Projector
from headwater_schemas import codec
from headwater_schemas.entries import Reference, file_leaves, reference_leaf
from headwater_schemas.errors import UndecodableEvent
from headwater_schemas.events import VersionPurged
from headwater_schemas.lthash import sum_of
from headwater_schemas.positions import Position

from tests.support.memory_log import Written
from tests.support.modes import EMBEDDED, database_url
from tests.support.projections import empty, project_all
from tests.support.statements import run

Content = dict[str, set[tuple[object, ...]]]
Entry = tuple[object, ...]
Listing = dict[str, Entry]  # path → (kind, size, digest, object, object_offset, uri, checksum, object version)

_POSITIONS = {
    "position",
    "from_position",
    "to_position",
    "opened_position",
    "closed_position",
    "created_position",
    "commit_position",
    "layer",
    "ordinal",
}
_TIMES = {"time_us", "append_us", "last_event_us", "created_us", "started_us"}
_TIME_IN_TEXT = re.compile(r"\b[0-9-]{10} [0-9:]{8} UTC\b")
_PLACE_IN_TEXT = re.compile(r"\b[0-9]+/[0-9]+/[0-9]+\b")


class Databases:
    """Empty projections for a test that needs many. Making a file costs more than emptying one."""

    def __init__(self, mode: str, folder: Path) -> None:
        self._mode = mode
        self._folder = folder
        self._idle: list[Database] = []
        self._made = 0
        self._open = ExitStack()

    @contextmanager
    def empty(self) -> Iterator[Database]:
        database = self._idle.pop() if self._idle else self._make()
        empty(database)
        try:
            yield database
        finally:
            self._idle.append(database)

    def close(self) -> None:
        self._open.close()

    def _make(self) -> Database:
        self._made += 1
        database = self._opened(self._folder / f"{self._made}.db")
        self._open.callback(database.close)
        return database

    def _opened(self, file: Path) -> Database:
        if self._mode == EMBEDDED:
            return Database.open_sqlite(file)
        return Database.open_postgresql(database_url(), schema=f"kept_{self._made}")


def project(written: Written, database: Database) -> Database:
    """Everything on the log, in one go."""
    project_all(written.log, Projector(written.log, database))
    return database


def fingerprint_of(database: Database) -> str:
    with database.snapshot() as connection:
        return fingerprint(connection)


def rows_of(database: Database, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with database.snapshot() as connection:
        if connection.dialect != SQLITE:
            sql = sql.replace("?", "%s")
        return [tuple(row) for row in connection.driver.execute(sql, parameters)]


# --- what is in it, wherever its records stood --------------------------------------------------------------------


def content_of(database: Database, written: Written) -> Content:
    """Every row of every table, with the step in the place of each position and time that names a record.

    Two projections of one history are comparable this way where the history was written in another order, to another
    number of partitions, or with steps sent twice: a step's copies all have its number. What differs then, and is left
    out, is the partition itself and the cursor. A row that each partition has is there once.
    """
    tables = [row_type for row_type in ROW_TYPES if table_of(row_type).name != "log_positions"]
    with database.snapshot() as connection:
        return {table_of(row_type).name: _content_of_table(connection, row_type, written) for row_type in tables}


def _content_of_table(
    connection: Connection, row_type: type[ProjectionRow], written: Written
) -> set[tuple[object, ...]]:
    rows = [dict(zip(column_names(row_type), row, strict=True)) for row in run(connection, table_of(row_type).select())]
    return {tuple(_without_place(name, row, written) for name in row) for row in rows}


def _without_place(column: str, row: Any, written: Written) -> object:
    value = row[column]
    if value is None or column == "partition":
        return None
    if column in _POSITIONS:
        return written.step_of(value)
    if column in _TIMES:
        return written.step_at_time[value]
    match column:
        case "due_us":  # a time that names no record, but is reckoned from one's
            return value - row["append_us"]
        case "layers":
            return tuple(written.step_of(int(layer)) for layer in value.split(",") if layer)
        case "payload":
            return _payload_without_place(bytes(value), written)
        case "value" if (about := _decided(value)) is not None:
            return json.dumps({**about, "time_us": written.step_at_time[about["time_us"]]}, sort_keys=True)
        case "message" if "partition" in row:  # of a rejection
            return _TIME_IN_TEXT.sub("then", _PLACE_IN_TEXT.sub("P/O", value))
    return value


def _decided(value: object) -> dict[str, Any] | None:
    """A fact of a project that tells when it was decided."""
    fact = json.loads(value) if isinstance(value, str) and value.startswith("{") else None
    return fact if isinstance(fact, dict) and "time_us" in fact else None


def _payload_without_place(payload: bytes, written: Written) -> object:
    """A purge names the position of a deletion."""
    try:
        stamped = codec.decode(payload)
    except UndecodableEvent:
        return payload
    event = stamped.event
    if not isinstance(event, VersionPurged):
        return payload
    deletion = written.step_at[Position(event.epoch, event.partition, event.offset)]
    return stamped.origin, event.collection, event.version, deletion


# --- versions -----------------------------------------------------------------------------------------------------


def listing_of(database: Database, collection: str, version: int) -> Listing:
    """What a version shows: its layers laid over each other from the bottom up."""
    ((layers,),) = rows_of(
        database, "SELECT layers FROM versions WHERE collection = ? AND version = ?", collection, version
    )
    shown: Listing = {}
    for layer in reversed([int(layer) for layer in layers.split(",") if layer]):
        columns = "path, kind, size, digest, object_name, object_offset, uri, checksum, object_version"
        for path, *entry in rows_of(database, f"SELECT {columns} FROM entries WHERE layer = ? ORDER BY ordinal", layer):
            shown[path] = tuple(entry)
    return {path: entry for path, entry in shown.items() if entry[0] != REMOVED}


def digest_of(listing: Listing) -> str:
    """The digest of a listing, from its definition."""
    leaves = [_leaf(path, entry) for path, entry in listing.items()]
    return sum_of(leaves, sum(int(entry[1] or 0) for entry in listing.values())).digest()  # type: ignore[call-overload]


def _leaf(path: str, entry: Entry) -> bytes:
    kind, size, digest, _, _, uri, checksum, object_version = entry
    if kind == REFERENCE:
        return reference_leaf(Reference(path, uri, checksum, size, object_version))  # type: ignore[arg-type]
    return file_leaves([path], [digest], [size], [0] if kind == EXECUTABLE else ())[0]  # type: ignore[list-item]


def versions_of(database: Database, collection: str) -> list[tuple[int, str]]:
    """(number, digest) of all versions, by number."""
    return rows_of(database, "SELECT version, digest FROM versions WHERE collection = ? ORDER BY version", collection)


def rejections_of(database: Database) -> list[str]:
    """The reasons, in the order of the log."""
    return [reason for (reason,) in rows_of(database, "SELECT reason FROM rejections ORDER BY position")]
