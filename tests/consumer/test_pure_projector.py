"""The projector knows no database: it folds a log where none can be imported, to the same rows as with one."""

import json
import subprocess
import sys
from pathlib import Path

from headwater_consumer.database import Database
from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.database.tables import ROW_TYPES
from headwater_consumer.rows import LogPositionRow
from headwater_schemas.entries import Reference
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    DeadLetterResolved,
    DraftDiscarded,
    EntryRemoved,
    SessionsRetired,
    SettingsChanged,
    VersionDeleted,
    VersionDescribed,
    VersionRestored,
    WriterDone,
)
from sqlalchemy import select

from tests.consumer.events import DIGITS, MODEL, PROJECT, SHARED, added, committed, opened
from tests.consumer.pure_fold import records_of
from tests.support.histories import BROADCAST
from tests.support.history import History, pack_of
from tests.support.memory_log import MemoryLog

ROOT = Path(__file__).parents[2]
FIT = f"{PROJECT}/fit"
FOLD_TIMEOUT_S = 60


def _write_everything(history: History) -> None:
    """Versions on each other, merged layers, shared drafts, refusals, edges, and a collection that waited."""
    history.run(FIT)
    history.commit(DIGITS, {"a": b"1", "b": b"2", "f/c": b"3"}, tags=("raw",), aliases=("best",), run=FIT)
    history.commit(DIGITS, {"a": b"4"}, base=0, removed=["b"])
    history.commit(DIGITS, {"a": b"1", "b": b"2", "f/c": b"3"}, pack=1)
    history.commit(DIGITS, {}, base=1, references=[Reference("r", "s3://bucket/r", "etag", 7, None)])
    history.write(opened(), added(SHARED, {"x": b"1", "y/z": b"2"}))
    history.write(added(SHARED, {"x": b"3"}), by="bert")
    history.write(added(SHARED, {"x/y": b"4"}), by="bert")
    history.write(EntryRemoved(collection=DIGITS, draft=SHARED, folders=("y",)), committed(SHARED, writers=2))
    history.write(WriterDone(collection=DIGITS, draft=SHARED))
    history.write(WriterDone(collection=DIGITS, draft=SHARED), by="bert")
    history.write(
        ArtifactUsed(collection=DIGITS, version=0, run=FIT, requested="digits:best"),
        AliasMoved(collection=DIGITS, alias="best", version=1),
        AliasMoved(collection=DIGITS, alias="best", version=99),
        VersionDescribed(
            collection=DIGITS, version=0, description="first", metadata_patch='{"n":1}', tags_added=("t",)
        ),
        VersionDeleted(collection=DIGITS, version=1, delete_aliases=True),
        VersionRestored(collection=DIGITS, version=1),
        BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(pack_of(PROJECT, 1),)),
        SettingsChanged(project=PROJECT, settings='{"draft_idle_days":3}'),
        SessionsRetired(broadcast=BROADCAST, before_ms=1),
    )
    draft, events = history.draft(DIGITS, {"never": b"5"})
    history.write(*events, DraftDiscarded(collection=DIGITS, draft=draft))
    history.append_undecodable(f"collection:{MODEL}")
    history.commit(MODEL, {"m": b"1"}, type="model", run=FIT)
    letter = next(r.position for r in history.log.read(0, after=-1) if r.payload == b"no event at all")
    history.write(
        DeadLetterResolved(key=f"collection:{MODEL}", epoch=0, partition=0, offset=letter.offset, decision="skip"),
        by="operator",
    )


def _rows_of(database: Database) -> dict[str, list[str]]:
    """Every row but the cursor, which is the runner's, by the name of its type."""
    with database.snapshot() as connection:
        rows = {
            row_type.__name__: sorted(ascii(row_type(*row)) for row in connection.execute(select(table_of(row_type))))
            for row_type in ROW_TYPES
            if row_type is not LogPositionRow
        }
    return {name: found for name, found in rows.items() if found}


def test_the_projector_folds_a_log_where_no_database_can_be_imported(tmp_path: Path) -> None:
    history = History(MemoryLog(), Database.open_sqlite(tmp_path / "projection.db"))
    _write_everything(history)
    folded = subprocess.run(
        [sys.executable, "-m", "tests.consumer.no_database", "tests.consumer.pure_fold"],
        cwd=ROOT,
        input=records_of(history.log),
        capture_output=True,
        text=True,
        timeout=FOLD_TIMEOUT_S,
    )

    assert folded.returncode == 0, folded.stderr
    expected = _rows_of(history.database)
    assert json.loads(folded.stdout) == expected
    ended = {"DeadLetterRow", "DraftWriterRow", "ParkedKeyRow", "ParkedRecordRow"}
    nowhere = {row_type.__name__ for row_type in ROW_TYPES} - expected.keys()
    assert nowhere == {"LogPositionRow", "RelocatedRangeRow", *ended}
