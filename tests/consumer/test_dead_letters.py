"""What does not decode: who waits for it, who does not, and how it goes on."""

import dataclasses
from pathlib import Path

import pytest
from headwater_eventlog.port import NewRecord
from headwater_schemas import codec, header_block, keys
from headwater_schemas.errors import Reason, UndecodableEvent
from headwater_schemas.events import (
    BlobsCondemned,
    BlobsMoved,
    DeadLetterResolved,
    Event,
    Move,
    Stamped,
    VersionDeleted,
    VersionRestored,
)
from headwater_schemas.positions import Position

from tests.consumer.events import (
    DIGITS,
    MODEL,
    PROJECT,
    SHARED,
    committed,
    paths,
)
from tests.consumer.inspection import rejections_of, rows_of, versions_of
from tests.support.histories import BROADCAST
from tests.support.history import History, pack_of
from tests.support.memory_log import MemoryLog
from tests.support.modes import open_database

KEY = keys.collection_key(DIGITS)


def _damage(history: History, key: str = KEY) -> DeadLetterResolved:
    """Append a record that does not decode; the event that would let go on what comes after it."""
    whole = history.writer("nobody").stamp(VersionDeleted(collection=DIGITS, version=0), sequence=0)
    (position,) = history.log.append([NewRecord(key, whole.payload[:-1])], timeout_s=5)
    history.project()
    return _resolved(key, position, "skip")


def _resolved(key: str, at: Position, decision: str) -> DeadLetterResolved:
    return DeadLetterResolved(key=key, epoch=at.epoch, partition=at.partition, offset=at.offset, decision=decision)


def _open_letters(history: History) -> int:
    return len(rows_of(history.database, "SELECT 1 FROM dead_letters"))


def test_a_dead_letter_lets_its_collection_wait_and_all_others_go_on(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    _damage(history)

    history.commit(DIGITS, {"a": b"2"})
    history.commit(MODEL, {"w": b"1"}, type="model")

    assert len(versions_of(history.database, DIGITS)) == 1
    assert len(versions_of(history.database, MODEL)) == 1


def test_what_waited_behind_a_dead_letter_applies_in_order_once_it_is_skipped(history: History) -> None:
    resolved = _damage(history)
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"b": b"1"}, base=0)

    at = history.write(resolved, by="operator")

    assert [paths(history, n) for n in range(2)] == [{"a"}, {"a", "b"}]
    assert rows_of(history.database, "SELECT DISTINCT position FROM versions") == [(at,)]
    assert rows_of(history.database, "SELECT 1 FROM parked_records UNION ALL SELECT 1 FROM parked_keys") == []
    assert _open_letters(history) == 0


def test_subscribers_are_told_of_what_waited_where_it_was_let_go_on(history: History) -> None:
    resolved = _damage(history)
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})

    at = history.write(resolved, by="operator")

    told = rows_of(
        history.database, "SELECT position, record_index, kind, event_index FROM version_events ORDER BY 1, 2"
    )
    kinds = ["version-committed", "alias-moved"] * 2
    assert told == [(at, number, kind, number % 2) for number, kind in enumerate(kinds)]


def test_a_second_dead_letter_waits_behind_the_first(history: History) -> None:
    first = _damage(history)
    history.commit(DIGITS, {"a": b"1"})
    second = _damage(history)
    history.commit(DIGITS, {"a": b"2"})

    history.write(second, by="operator")
    too_early = rejections_of(history.database)
    history.write(first, by="operator")
    between = len(versions_of(history.database, DIGITS))
    history.write(second, by="operator")

    assert too_early == [Reason.INVALID]
    assert (between, len(versions_of(history.database, DIGITS))) == (1, 2)


def test_a_dead_letter_that_does_not_decode_again_waits_again(history: History) -> None:
    resolved = _damage(history)
    history.commit(DIGITS, {"a": b"1"})

    history.write(_retry(resolved), by="operator")

    assert _open_letters(history) == 1
    assert versions_of(history.database, DIGITS) == []


def test_a_dead_letter_that_decodes_by_now_is_judged_before_what_came_after_it(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, events = history.draft(DIGITS, {"a": b"1"}, draft=SHARED)
    opening = history.writer().stamp(events[0])
    decode = codec.decode

    def an_older_release(payload: bytes) -> Stamped:
        if payload == opening.payload:
            raise UndecodableEvent("a bug of that release")
        return decode(payload)

    with monkeypatch.context() as patched:
        patched.setattr(codec, "decode", an_older_release)
        (at,) = history.log.append([opening], timeout_s=5)
        history.write(*events[1:], committed(SHARED))

    history.write(_resolved(KEY, at, "retry"), by="operator")

    assert paths(history, 0) == {"a"}
    assert rejections_of(history.database) == []


def _retry(resolved: DeadLetterResolved) -> DeadLetterResolved:
    return dataclasses.replace(resolved, decision="retry")


def test_skipping_a_record_moves_its_writers_mark_and_tells_the_writer(history: History) -> None:
    opening, adding, commit = (history.writer().stamp(event) for event in _whole_draft(history))
    damaged = opening._replace(payload=opening.payload[:-1])
    (at,) = history.log.append([damaged], timeout_s=5)
    history.log.append([adding, commit], timeout_s=5)
    history.project()

    history.write(_resolved(KEY, at, "skip"), by="operator")
    history.commit(DIGITS, {"b": b"2"})

    assert rejections_of(history.database) == [Reason.SKIPPED, Reason.DRAFT_UNKNOWN, Reason.DRAFT_UNKNOWN]
    assert [paths(history, n) for n, _ in versions_of(history.database, DIGITS)] == [{"b"}]
    ((session, sequence),) = rows_of(
        history.database, "SELECT session, sequence FROM rejections WHERE reason = ?", Reason.SKIPPED
    )
    assert (session, sequence) == (history.writer().session, 0)


def test_a_dead_letter_keeps_its_headers_and_so_does_what_waits(history: History) -> None:
    first, second = (history.writer().stamp(VersionRestored(collection=DIGITS, version=0)) for _ in range(2))
    history.log.append([first._replace(payload=first.payload[:-1]), second], timeout_s=5)
    history.project()

    ((letter,),) = rows_of(history.database, "SELECT headers FROM dead_letters")
    ((parked,),) = rows_of(history.database, "SELECT headers FROM parked_records")

    assert header_block.unpack(bytes(letter)) == first.headers
    assert header_block.unpack(bytes(parked)) == second.headers


def _whole_draft(history: History) -> list[Event]:
    draft, events = history.draft(DIGITS, {"a": b"1"})
    return [*events, committed(draft)]


def test_each_partition_waits_for_its_own_dead_letters_of_a_project(mode: str, tmp_path: Path) -> None:
    log, database = MemoryLog(2), open_database(mode, tmp_path / "projection.db")
    history, key = History(log, database), keys.broadcast_key(PROJECT)
    granted = history.writer("admin").stamp(
        BlobsCondemned(project=PROJECT, objects=(pack_of(PROJECT),), broadcast=BROADCAST)
    )
    log.append([NewRecord(key, granted.payload[:-1], (), 1)])

    log.append([NewRecord(key, granted.payload, (), partition) for partition in (0, 1)])
    history.project()

    assert rows_of(database, "SELECT partition FROM condemned_objects") == [(0,)]
    assert rows_of(database, "SELECT partition FROM parked_records") == [(1,)]
    database.close()


def test_an_object_is_condemned_for_a_partition_by_that_partitions_own_event(mode: str, tmp_path: Path) -> None:
    log, database = MemoryLog(2), open_database(mode, tmp_path / "projection.db")
    history = History(log, database)
    elsewhere = 1 - log.partition_of(KEY)
    condemned = history.writer("admin").stamp(
        BlobsCondemned(project=PROJECT, objects=(pack_of(PROJECT),), broadcast=BROADCAST)
    )
    log.append([NewRecord(condemned.key, condemned.payload, (), elsewhere)])
    history.project()

    history.commit(DIGITS, {"a": b"1"})

    # Whether the other partition's event is there yet must not decide: a replay may read it later.
    assert rejections_of(database) == []
    database.close()


def test_what_waited_may_rely_on_objects_that_were_condemned_after_it(mode: str, tmp_path: Path) -> None:
    database = open_database(mode, tmp_path / "projection.db")
    history = History(MemoryLog(2), database)
    resolved = _damage(history)
    history.commit(DIGITS, {"a": b"1"}, pack=1)
    history.write(BlobsCondemned(project=PROJECT, objects=(pack_of(PROJECT, 1),), broadcast=BROADCAST))
    history.commit(DIGITS, {"b": b"1"}, pack=1)

    history.write(resolved, by="operator")

    assert [paths(history, n) for n, _ in versions_of(database, DIGITS)] == [{"a"}, set()]
    assert rejections_of(database) == [Reason.BLOB_CONDEMNED]
    database.close()


def test_content_may_have_moved_before_its_new_object_was_condemned(history: History) -> None:
    resolved = _damage(history, keys.project_key(PROJECT))
    history.write(BlobsMoved(project=PROJECT, moves=(Move(pack_of(PROJECT, 1), 0, 1, pack_of(PROJECT, 2), 0),)))
    history.write(BlobsCondemned(project=PROJECT, objects=(pack_of(PROJECT, 2),), broadcast=BROADCAST))

    history.write(resolved, by="operator")

    assert rejections_of(history.database) == []
    assert rows_of(history.database, "SELECT to_object_name FROM relocated_ranges") == [(pack_of(PROJECT, 2),)]
