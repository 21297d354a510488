"""A store in a folder for each test, and ways to see and disturb what goes to its log."""

import threading
from collections.abc import Callable, Sequence

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import NewRecord
from headwater_schemas import codec
from headwater_schemas.events import Event
from headwater_schemas.positions import Position

from tests.producer.conftest import frequent_switches as frequent_switches
from tests.sdk.conftest import store as store
from tests.support.modes import EMBEDDED

Appended = list[Event]
BeforeAppend = Callable[[Callable[[EmbeddedEventLog, Appended], None]], None]


@pytest.fixture
def mode() -> str:
    return EMBEDDED


@pytest.fixture
def no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody logs in the background: what is put waits until somebody waits for it."""
    start = threading.Thread.start

    def start_others(thread: threading.Thread) -> None:
        if thread.name == "headwater-logging":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_others)


@pytest.fixture
def before_append(monkeypatch: pytest.MonkeyPatch) -> BeforeAppend:
    """Has something done before records go onto the log; what it appends itself goes there at once."""
    append = EmbeddedEventLog.append

    def arrange(act: Callable[[EmbeddedEventLog, Appended], None]) -> None:
        busy = threading.local()

        def append_after(log: EmbeddedEventLog, records: Sequence[NewRecord], *, timeout_s: float) -> list[Position]:
            if not getattr(busy, "now", False):
                busy.now = True
                try:
                    act(log, [codec.decode(record.payload).event for record in records])
                finally:
                    busy.now = False
            return append(log, records, timeout_s=timeout_s)

        monkeypatch.setattr(EmbeddedEventLog, "append", append_after)

    return arrange
