"""Whatever ranges over a whole layer is done range by range: no statement and no answer grows with the layer."""

from typing import Any

import pytest
from headwater_consumer.database.compiled_statements import CompiledStatement
from headwater_consumer.database.connection import Connection
from headwater_consumer.writing import layer_entries
from headwater_consumer.writing.runner import Projector

from tests.consumer.events import DIGITS, SHARED, added, committed, opened
from tests.consumer.inspection import Databases, fingerprint_of, listing_of, rows_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.projections import project_all

ROWS = 7  # of a statement, instead of thousands
ENTRIES = 100


def _contents(prefix: str, count: int, *, value: bytes = b"1") -> dict[str, bytes]:
    return {f"{prefix}{n:03}": value for n in range(count)}


def _log() -> MemoryLog:
    """Merges with and without a base below, removals, paths added twice, a draft that is dropped as it is known."""
    log = MemoryLog()
    with_writers = History(log, None)  # type: ignore[arg-type] # it writes only
    write = with_writers.writer().write
    for base in range(6):
        draft, events = with_writers.draft(
            DIGITS,
            _contents(f"{base}-", ENTRIES - base),
            base=base - 1 if base else None,
            removed=[f"{base - 1}-{n:03}" for n in range(0, ENTRIES // 2, 3)] if base else (),
        )
        write(*events, committed(draft))
    write(opened(), *[added(SHARED, _contents("s", ENTRIES, value=b"%d" % n)) for n in range(3)], committed(SHARED))
    draft, events = with_writers.draft(DIGITS, _contents("0-", ENTRIES))
    write(*events, committed(draft))
    return log


def _count_rows(patch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each statement of the projector reads or writes from here on, as the driver tells."""
    counts: list[int] = []
    read, run = CompiledStatement.tuples, CompiledStatement.run

    def tuples(statement: CompiledStatement, connection: Connection, **values: object) -> list[tuple[Any, ...]]:
        rows = read(statement, connection, **values)
        counts.append(len(rows))
        return rows

    def changes(statement: CompiledStatement, connection: Connection, **values: object) -> int:
        counts.append(run(statement, connection, **values))
        return counts[-1]

    patch.setattr(CompiledStatement, "tuples", tuples)
    patch.setattr(CompiledStatement, "run", changes)
    return counts


def test_a_layer_in_ranges_becomes_what_it_becomes_at_once(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = _log()
    with databases.empty() as at_once, databases.empty() as in_ranges:
        project_all(log, Projector(log, at_once))
        monkeypatch.setattr(layer_entries, "ROWS_PER_STATEMENT", ROWS)
        monkeypatch.setattr(layer_entries, "PATHS_PER_QUERY", ROWS)
        monkeypatch.setattr(layer_entries, "MERGED_IN_MEMORY_MAX", 0)
        steps: list[None] = []
        with (
            monkeypatch.context() as counting
        ):  # one event a transaction, so that every draft is stored before its seal
            counts = _count_rows(counting)
            project_all(log, Projector(log, in_ranges, records_per_batch=1, progress=lambda: steps.append(None)))

        assert fingerprint_of(in_ranges) == fingerprint_of(at_once)
        assert len(listing_of(in_ranges, DIGITS, 6)) == ENTRIES
        assert rows_of(in_ranges, "SELECT max(version) FROM versions") == [(6,)], "the last commit was known"
        # Of a path that was added three times, all three are part of the range.
        assert ROWS <= max(counts) <= 3 * ROWS
        assert len(steps) > len([count for count in counts if count > 0]) // 2
