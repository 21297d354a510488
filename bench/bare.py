"""What SQLite itself needs for the facts that a store holds: same rows, tables and durability, nothing else."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from headwater_eventlog.log_file import LOG_FILE
from headwater_stores.projection_files import projection_file

EVENTS_PER_COMMIT = 3
EVENT_BYTES = 200
BUSY_TIMEOUT_S = 60.0

Table = tuple[str, list[tuple[Any, ...]]]  # the statement that inserts a row; all rows


def insert_seconds(store: Path, into: Path, *, transactions: int) -> float:
    """Insert everything that `store` holds into new files in `into`, in so many steps of one commit to each file."""
    into.mkdir(parents=True)
    files = {store / "log" / LOG_FILE: "FULL", projection_file(store): "NORMAL"}
    copies = [_empty_copy(source, into / source.name, synchronous) for source, synchronous in files.items()]
    start = time.perf_counter()
    for step in range(transactions):
        for database, tables in copies:
            database.execute("BEGIN IMMEDIATE")
            for statement, rows in tables:
                if part := rows[len(rows) * step // transactions : len(rows) * (step + 1) // transactions]:
                    database.executemany(statement, part)
            database.execute("COMMIT")
    seconds = time.perf_counter() - start
    for database, _ in copies:
        database.close()
    return seconds


def make_bare(file: Path) -> None:
    """A file for `commit_bare`."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL").fetchall()
        database.execute("CREATE TABLE records (offset INTEGER PRIMARY KEY, key TEXT, payload BLOB)")


def commit_bare(file: str, commits: int) -> dict[str, Any]:
    """For measured processes: commits of as many rows as one version's events, as durable."""
    start = time.monotonic()
    with closing(sqlite3.connect(file, isolation_level=None, timeout=BUSY_TIMEOUT_S)) as database:
        database.execute("PRAGMA synchronous = FULL")
        for _ in range(commits):
            database.execute("BEGIN IMMEDIATE")
            rows = [("key", bytes(EVENT_BYTES))] * EVENTS_PER_COMMIT
            database.executemany("INSERT INTO records (key, payload) VALUES (?, ?)", rows)
            database.execute("COMMIT")
    return {"start": start, "end": time.monotonic(), "errors": 0, "commits": commits}


def _empty_copy(source: Path, target: Path, synchronous: str) -> tuple[sqlite3.Connection, list[Table]]:
    with closing(sqlite3.connect(source)) as original:
        schema = original.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        tables = list(_tables(original, [name for kind, name, _ in schema if kind == "table"]))
    database = sqlite3.connect(target, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.execute(f"PRAGMA synchronous = {synchronous}")
    for kind in ("table", "index"):
        for statement in (sql for of_kind, _, sql in schema if of_kind == kind):
            database.execute(statement)
    return database, tables


def _tables(original: sqlite3.Connection, names: list[str]) -> Iterator[Table]:
    for name in names:
        rows = original.execute(f'SELECT * FROM "{name}"').fetchall()
        if rows:
            yield f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(rows[0]))})', rows
