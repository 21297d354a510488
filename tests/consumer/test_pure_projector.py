"""The projector knows no database: it folds a log where none can be imported, to the same rows as with one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from headwater_consumer.database import Database
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.row_mapping import cache_key, column_kinds, table_of
from headwater_consumer.database.tables import ROW_TYPES
from headwater_consumer.rows import LogPositionRow, ProjectionRow
from sqlalchemy import select

from tests.consumer.full_log import write_everything
from tests.consumer.pure_fold import input_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.statements import run

ROOT = Path(__file__).parents[2]
FOLD_TIMEOUT_S = 60


def _rows(connection: Connection, row_type: type[ProjectionRow]) -> Iterator[ProjectionRow]:
    """SQLite gives numbers for true and false."""
    kinds = column_kinds(cache_key(row_type)).values()
    for values in run(connection, select(table_of(row_type))):
        yield row_type(*[bool(value) if kind is bool else value for kind, value in zip(kinds, values, strict=True)])


def _rows_of(database: Database) -> dict[str, list[str]]:
    """Every row but the cursor, which is the runner's, by the name of its type."""
    with database.snapshot() as connection:
        rows = {
            row_type.__name__: sorted(ascii(row) for row in _rows(connection, row_type))
            for row_type in ROW_TYPES
            if row_type is not LogPositionRow
        }
    return {name: found for name, found in rows.items() if found}


def test_the_projector_folds_a_log_where_no_database_can_be_imported(tmp_path: Path) -> None:
    history = History(MemoryLog(), Database.open_sqlite(tmp_path / "projection.db"))
    write_everything(history)
    folded = subprocess.run(
        [sys.executable, "-m", "tests.consumer.no_database", "tests.consumer.pure_fold"],
        cwd=ROOT,
        input=input_of(history.log),
        capture_output=True,
        text=True,
        timeout=FOLD_TIMEOUT_S,
    )

    assert folded.returncode == 0, folded.stderr
    expected = _rows_of(history.database)
    assert json.loads(folded.stdout)["rows"] == expected
    ended = {"DeadLetterRow", "DraftWriterRow", "ParkedKeyRow", "ParkedRecordRow"}
    nowhere = {row_type.__name__ for row_type in ROW_TYPES} - expected.keys()
    assert nowhere == {"LogPositionRow", "RelocatedRangeRow", *ended}
