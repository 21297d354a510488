"""An embedded log in a folder of the test's, and short words for what tests do with it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import NewRecord
from headwater_schemas.positions import BEFORE_FIRST

WAIT_S = 30.0


def append(log: EmbeddedEventLog, *payloads: bytes, timeout_s: float = WAIT_S) -> list[int]:
    return [p.offset for p in log.append([NewRecord("k", payload) for payload in payloads], timeout_s=timeout_s)]


def payloads(log: EmbeddedEventLog) -> list[bytes]:
    return [record.payload for record in log.read(0, after=BEFORE_FIRST)]


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(name="log")  # tests have logs of their own under that name
def opened_log(folder: Path) -> Iterator[EmbeddedEventLog]:
    with closing(EmbeddedEventLog.open(folder)) as log:
        yield log
