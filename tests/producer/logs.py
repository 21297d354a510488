"""Logs that a producer meets: one that refuses, one that takes its time, and a clock that only moves when told."""

from collections.abc import Callable, Sequence

from headwater_eventlog.port import NewRecord
from headwater_producer.producer import Producer, Timer
from headwater_schemas import codec
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.events import Stamped
from headwater_schemas.positions import Position

from tests.support.memory_log import MemoryLog

WHO = "ada@analytical"


class Time:
    """Seconds that pass only while somebody sleeps, or where a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def timer(self) -> Timer:
        return Timer(monotonic=lambda: self.now_s, sleep=self.sleep)


class FailingLog(MemoryLog):
    """A log whose next appends fail: before anything is written, or after it was."""

    def __init__(self, *failures: HeadwaterError, partitions: int = 1, writes_first: bool = False) -> None:
        super().__init__(partitions)
        self.failures = list(failures)
        self.tried: list[tuple[NewRecord, ...]] = []
        self.timeouts_s: list[float] = []
        self.before_append: Callable[[], None] = lambda: None
        self._writes_first = writes_first

    def append(self, records: Sequence[NewRecord], *, timeout_s: float = 0) -> list[Position]:
        self.before_append()
        self.tried.append(tuple(records))
        self.timeouts_s.append(timeout_s)
        if not self.failures:
            return super().append(records)
        if self._writes_first:
            super().append(records)
        raise self.failures.pop(0)


def producer_on(log: MemoryLog, time: Time | None = None, **more: int) -> Producer:
    return Producer(log, author=WHO, timer=(time or Time()).timer(), **more)


def on_log(log: MemoryLog, partition: int = 0) -> list[Stamped]:
    """Everything in a partition, decoded."""
    return [codec.decode(record.payload) for record in log.read(partition, after=-1)]
