"""A log whose records were restored from another, at other offsets, tells the same history and goes on with it."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from headwater_consumer.writing.restore import ancestors_after
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings
from headwater_eventlog.port import EventLog, NewRecord
from headwater_schemas import headers
from headwater_schemas.errors import InvalidInput, StoreUnavailable
from headwater_schemas.events import DraftOpened, VersionCommitted
from headwater_schemas.positions import BEFORE_FIRST, EPOCHS_MAX
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.consumer.inspection import Databases, content_of, fingerprint_of, project, rows_of, versions_of
from tests.support.histories import COLLECTIONS, histories
from tests.support.history import History, Writer
from tests.support.memory_log import MemoryLog, write
from tests.support.modes import EMBEDDED
from tests.support.projections import project_all
from tests.support.restoring import restore, restored_records
from tests.support.servers import fresh_topic_name, servers
from tests.support.steps import History as Steps

DIGITS, MODEL = "team/vision/digits", "team/vision/model"
WAIT_S = 30.0
EXAMPLES_MAX = 25  # each is projected up to eight times
OFFSETS = st.sampled_from((0, 3, 40))


@settings(max_examples=EXAMPLES_MAX)
@given(histories(), st.data())
def test_a_restored_log_tells_the_same_history_and_goes_on_as_the_old_one_would(
    databases: Databases, history: Steps, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(history)), "written before the restore")
    again = data.draw(st.integers(cut, len(history)), "written before the second one")
    old = write(history[:cut], partitions=data.draw(st.sampled_from((1, 2))))
    with databases.empty() as of_old, databases.empty() as of_new, databases.empty() as replayed:
        new = old.restored("second", first_offset=data.draw(OFFSETS))
        assert fingerprint_of(project(new, of_new)) == fingerprint_of(project(old, of_old))

        for step in history[cut:again]:
            new.append(step)
            project(new, of_new)
        newest = new.restored("third", first_offset=data.draw(OFFSETS))
        assert fingerprint_of(project(newest, replayed)) == fingerprint_of(of_new)

        for step in history[again:]:
            newest.append(step)
            project(newest, replayed)
        for step in history[cut:]:
            old.append(step)
        assert content_of(replayed, newest) == content_of(project(old, of_old), old)
    with databases.empty() as replayed_again:
        assert fingerprint_of(project(newest, replayed_again)) == fingerprint_of(replayed)


def _embedded(source: EventLog, folder: Path) -> EventLog:
    return EmbeddedEventLog.create(folder / f"after-{source.generation}", ancestors=ancestors_after(source))


def _on_kafka(source: EventLog, folder: Path) -> EventLog:
    settings = KafkaSettings(servers().kafka, fresh_topic_name(), partitions=source.partitions)
    return KafkaEventLog.create(settings, ancestors=ancestors_after(source), timeout_s=WAIT_S)


def _write_everything(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, tags=("raw",))
    history.commit(DIGITS, {"a": b"2"}, base=0, aliases=("best",))
    broken = history.writer().stamp(VersionCommitted(collection=MODEL, draft="own:x"))
    history.log.append([NewRecord(broken.key, broken.payload[:-1], broken.headers)], timeout_s=WAIT_S)
    history.commit(MODEL, {"w": b"1"}, type="model")


def test_a_log_is_restored_twice_and_written_on_between(
    history: History, mode: str, databases: Databases, tmp_path: Path
) -> None:
    create: Callable[[EventLog, Path], EventLog] = _embedded if mode == EMBEDDED else _on_kafka
    _write_everything(history)
    with (
        closing(create(history.log, tmp_path)) as second,
        databases.empty() as of_second,
        databases.empty() as of_third,
    ):
        assert restore(history.log, second, timeout_s=WAIT_S) == len(history.log.read(0, after=BEFORE_FIRST))
        going_on = History(second, of_second)
        going_on.project()
        assert fingerprint_of(of_second) == fingerprint_of(history.database)

        _write_versions(going_on)
        with closing(create(second, tmp_path)) as third:
            restore(second, third, timeout_s=WAIT_S)
            project_all(third, Projector(third, of_third))
            assert third.ancestors == (history.log.generation, second.generation)
        assert fingerprint_of(of_third) == fingerprint_of(of_second)
    assert len(versions_of(history.database, DIGITS)) == 2


def _write_versions(history: History) -> None:
    """By another writer: the drafts of the first have the names that these get."""
    for _ in range(5):
        history.new_draft()
    for n in range(8):
        history.commit(DIGITS, {f"new-{n}": b"new"}, base=n + 1, by="bert")
    assert len(versions_of(history.database, DIGITS)) == 10


def test_restored_records_keep_what_they_were_and_say_where_that_was() -> None:
    log = MemoryLog(2, first_offset=7)
    given = (("ce_id", b"1"), ("mine", b"2"))
    log.append([NewRecord("k", b"payload", given, 1)])
    (old,) = log.read(1, after=BEFORE_FIRST)

    (record,) = restored_records(log, 1)

    time_us = b"%d" % old.time_us
    original = ((headers.ORIGINAL_POSITION, b"memory/1/7"), (headers.ORIGINAL_TIME, time_us))
    assert record == NewRecord("k", b"payload", (*given, *original, (headers.ORIGINAL_APPEND_TIME, time_us)), 1)


def test_time_that_stood_still_in_the_old_log_does_so_in_the_new_one_and_the_clocks_own_is_kept(
    databases: Databases, tmp_path: Path
) -> None:
    clock = iter([2_000_000_000_000_000, *range(1_000_000, 9_000_000, 1000)])  # one machine is far ahead
    with (
        closing(EmbeddedEventLog.open(tmp_path / "log", clock=lambda: next(clock))) as log,
        databases.empty() as of_old,
        databases.empty() as of_new,
    ):
        history = History(log, of_old)
        history.commit(DIGITS, {"a": b"1"})
        history.commit(DIGITS, {"a": b"2"})
        new = MemoryLog(ancestors=ancestors_after(log), start_us=2_100_000_000_000_000)
        restore(log, new, timeout_s=0)
        project_all(new, Projector(new, of_new))

        shown = "SELECT created_us, append_us FROM versions ORDER BY version"
        assert rows_of(of_old, shown) == [
            (2_000_000_000_000_000, 2_000_000_000_000_000),
            (2_000_000_000_000_000, 1_000_000),
        ]
        assert rows_of(of_new, shown) == rows_of(of_old, shown)
        assert fingerprint_of(of_new) == fingerprint_of(of_old)


@settings(max_examples=EXAMPLES_MAX)
@given(histories(), st.binary(max_size=8) | st.sampled_from((b"g/0/1", b"memory/0/1", b"second/0/0")), st.booleans())
@example([], b"second/0/0", True)
def test_headers_that_nobody_believed_are_not_believed_after_a_restore_either(
    databases: Databases, history: Steps, forged: bytes, in_second: bool
) -> None:
    """A log without ancestors passes them over; in one that has some, the record is a dead letter. So it stays."""
    bad = ((headers.ORIGINAL_POSITION, forged), (headers.ORIGINAL_TIME, b"x"))
    first = write(history)
    if not in_second:
        _append_with(first.log, bad)
    with databases.empty() as of_first, databases.empty() as of_second, databases.empty() as of_third:
        project(first, of_first)
        second = first.restored("second")
        if in_second:
            _append_with(second.log, bad)
        project(second, of_second)
        third = second.restored("third", first_offset=3)
        project(third, of_third)

        assert in_second or fingerprint_of(of_second) == fingerprint_of(of_first)
        assert fingerprint_of(of_third) == fingerprint_of(of_second)
        applied = f"SELECT count(*) FROM drafts WHERE draft = 'own:forged' AND collection = '{COLLECTIONS[0]}'"
        assert rows_of(of_third, applied) == rows_of(of_second, applied)


def _append_with(log: MemoryLog, given: headers.Headers) -> None:
    record = Writer(log, "mallory").stamp(DraftOpened(collection=COLLECTIONS[0], draft="own:forged", type="dataset"))
    log.append([NewRecord(record.key, record.payload, (*record.headers, *given))])
    log.append([NewRecord(record.key, record.payload[:-1], record.headers)])


def test_a_log_with_another_number_of_partitions_takes_no_records() -> None:
    source = MemoryLog(2)

    with pytest.raises(
        InvalidInput, match=r"log memory has 2 partitions, and the new log new has 3: .* Create one with 2"
    ):
        restore(source, MemoryLog(3, "new", ancestors=("memory",)), timeout_s=0)


@pytest.mark.parametrize("ancestors", [(), ("another",), ("memory", "another")])
def test_a_log_with_other_ancestors_takes_no_records(ancestors: tuple[str, ...]) -> None:
    source = MemoryLog()
    source.append([NewRecord("k", b"")])
    target = MemoryLog(generation="new", ancestors=ancestors)

    with pytest.raises(
        InvalidInput, match=r"was not created for the records of log memory: .* not memory. Create another"
    ):
        restore(source, target, timeout_s=0)

    assert target.end(0) == BEFORE_FIRST


def test_a_log_has_no_more_ancestors_than_a_position_can_count() -> None:
    ancestors = tuple(f"g{n}" for n in range(EPOCHS_MAX - 1))

    assert ancestors_after(MemoryLog(ancestors=ancestors[1:])) == (*ancestors[1:], "memory")
    with pytest.raises(InvalidInput, match="can have 255 ancestors, and this one would have 256"):
        ancestors_after(MemoryLog(ancestors=ancestors))


def test_a_projector_that_opened_a_topic_before_its_ancestors_were_there_projects_nothing(
    databases: Databases,
) -> None:
    settings = KafkaSettings(servers().kafka, fresh_topic_name(), partitions=1)
    with (
        closing(KafkaEventLog.create(settings, ancestors=("g",), timeout_s=WAIT_S)) as log,
        databases.empty() as database,
    ):
        ignorant = MemoryLog(generation=log.generation)
        (first,) = log.read(0, after=BEFORE_FIRST)
        ignorant.append([NewRecord(first.key, first.payload, first.headers)])

        with pytest.raises(StoreUnavailable, match=r"restored from g, which was not known .* Open it again"):
            Projector(ignorant, database).project_batch(0)
        assert Projector(log, database).project_batch(0) == 1
        assert rows_of(database, "SELECT count(*) FROM sessions") == [(0,)]
