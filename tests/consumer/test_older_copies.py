"""A log that was replaced by an older copy of it, as those see it who know what was projected."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.projection.embedded import EmbeddedProjection
from headwater_consumer.projection.remote import RemoteProjection
from headwater_consumer.projection.view import ProjectionView
from headwater_consumer.writing.log_check import record_hash
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import Record, RecordsGone
from headwater_producer.producer import Producer
from headwater_schemas.events import AliasMoved
from headwater_schemas.positions import BEFORE_FIRST, Position

from tests.consumer.inspection import fingerprint_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database

DIGITS = "team/vision/digits"
WAIT_S = 5.0


class _ReplaceableLog(MemoryLog):
    def replace(self, records: Sequence[Record]) -> None:
        self._records = [list(records)]


@pytest.fixture
def history(mode: str, tmp_path: Path) -> Iterator[History]:
    database = open_database(mode, tmp_path / "projection.db")
    history = History(_ReplaceableLog(), database)
    for content in (b"1", b"2"):
        history.commit(DIGITS, {"a": content})
    yield history
    database.close()


def _put_back(history: History, records: int) -> None:
    log = history.log
    assert isinstance(log, _ReplaceableLog)
    log.replace(log.read(0, after=BEFORE_FIRST)[:records])


def _views(database: Database, log: MemoryLog, tmp_path: Path) -> list[ProjectionView]:
    return [EmbeddedProjection(log, database, tmp_path / "lock"), RemoteProjection(log, database)]


def test_who_reads_a_log_that_ends_before_its_projection_is_told(history: History, tmp_path: Path) -> None:
    _put_back(history, 2)
    before = fingerprint_of(history.database)

    for view in _views(history.database, history.log, tmp_path):  # type: ignore[arg-type]
        for read in (lambda v: v.catch_up(timeout_s=WAIT_S), lambda v: v.catch_up_on("k", timeout_s=WAIT_S)):
            with pytest.raises(RecordsGone, match=r"older copy of the log .* Put the newer copy back"):
                read(view)

    assert fingerprint_of(history.database) == before


def test_a_projector_that_follows_by_itself_trusts_what_it_has_just_applied(history: History) -> None:
    reads: list[int] = []
    read = history.log.read

    def counted(partition: int, *, after: int, limit: int = 4096) -> Sequence[Record]:
        reads.append(after)
        return read(partition, after=after, limit=limit)

    history.log.read = counted  # type: ignore[method-assign]
    projector = Projector(history.log, history.database, records_per_batch=1)
    for _ in range(2):
        history.writer().write(AliasMoved(collection=DIGITS, alias="best", version=0))
    end = history.log.end(0)

    while projector.project_batch(0):
        pass

    assert reads == sorted(set(reads))  # no request is made twice, nor one for the comparison alone
    assert reads[-1] == end


def test_a_writer_whose_events_get_offsets_that_were_projected_long_ago_is_told(history: History) -> None:
    view = RemoteProjection(history.log, history.database)
    producer = Producer(history.log, author="ada", watch_append=view.watch_append)
    view.catch_up(timeout_s=WAIT_S)
    producer.send([AliasMoved(collection=DIGITS, alias="best", version=0)])
    producer.confirm()
    _put_back(history, 2)

    producer.send([AliasMoved(collection=DIGITS, alias="best", version=1)])
    with pytest.raises(RecordsGone, match=r"got new events at offset 4, but was projected up to offset \d"):
        producer.confirm()

    assert producer.pending == 1


def test_the_hash_of_a_record_covers_all_that_a_log_keeps_of_it() -> None:
    record = Record(Position(0, 0, 7), 1_000, "key", b"payload", (("name", b"value"), ("other", b"")))
    others = [
        Record(record.position, 2_000, "key", b"payload", record.headers),
        Record(record.position, 1_000, "keyp", b"ayload", record.headers),
        Record(record.position, 1_000, "key", b"payload2", record.headers),
        Record(record.position, 1_000, "key", b"payload", record.headers[::-1]),
        Record(record.position, 1_000, "key", b"payload", (("namev", b"alue"), ("other", b""))),
        Record(record.position, 1_000, "key", b"payload", record.headers[:1]),
    ]

    assert len({record_hash(record), *map(record_hash, others)}) == 1 + len(others)
    assert record_hash(Record(Position(3, 1, 0), 1_000, "key", b"payload", record.headers)) == record_hash(record)
    assert record_hash(record) == bytes.fromhex("7ed657510e136beec312b48420be60e0")
