"""Every adapter of the event log: how to make a fresh log, open it from any process, and look past the adapter."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import EventLog

RawRecord = tuple[int, int, str, bytes]  # partition, offset, key, payload


@dataclass(frozen=True)
class LogPlace:
    """Where a log is. Can be sent to another process, which opens it there."""

    adapter: str
    where: str

    def open(self) -> EventLog:
        return _ADAPTERS[self.adapter].open(self.where)

    def raw(self) -> list[RawRecord]:
        """All records, read without the adapter."""
        return _ADAPTERS[self.adapter].raw(self.where)


@dataclass(frozen=True)
class _Adapter:
    place: Callable[[Path], str]  # from a fresh folder of the test's
    open: Callable[[str], EventLog]
    raw: Callable[[str], list[RawRecord]]


def _raw_embedded(where: str) -> list[RawRecord]:
    with closing(sqlite3.connect(Path(where) / "log.db")) as database:
        return database.execute("SELECT 0, offset, key, payload FROM records ORDER BY offset").fetchall()


_ADAPTERS = {
    "embedded": _Adapter(place=str, open=lambda where: EmbeddedEventLog.open(Path(where)), raw=_raw_embedded),
}

each_adapter = pytest.mark.parametrize("adapter", list(_ADAPTERS))


def fresh_place(adapter: str, folder: Path) -> LogPlace:
    """A place in which there is no log yet."""
    return LogPlace(adapter, _ADAPTERS[adapter].place(folder))
