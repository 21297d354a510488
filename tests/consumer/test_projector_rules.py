"""What the projector allows, what it refuses, and what each event means, one example a rule."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from headwater_consumer.database import Database
from headwater_consumer.fingerprint import table_fingerprints
from headwater_eventlog.port import NewRecord
from headwater_schemas import codec, keys
from headwater_schemas.entries import FileEntries, Reference
from headwater_schemas.errors import Reason, UndecodableEvent
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    DeadLetterResolved,
    DraftDiscarded,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    ExpectedAlias,
    Stamped,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
    WriterDone,
    shared_draft,
)

from tests.consumer.looking import digest_of, listing_of, rejections_of, rows_of, versions_of
from tests.support.history import History, files_of, open_history, pack_of
from tests.support.memory_log import MemoryLog

PROJECT = "team/vision"
DIGITS = f"{PROJECT}/digits"
MODEL = f"{PROJECT}/model"
SHARED = shared_draft("epoch-1")


@pytest.fixture(params=["embedded"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    with open_history(request.param, tmp_path) as history:
        yield history


def _added(draft: str, contents: dict[str, bytes], *, pack: int = 0) -> EntryAdded:
    return EntryAdded(collection=DIGITS, draft=draft, files=files_of(PROJECT, contents, pack=pack))


def _committed(draft: str, **more: object) -> VersionCommitted:
    return VersionCommitted(collection=DIGITS, draft=draft, **more)  # type: ignore[arg-type] # each test knows its fields


def _opened(draft: str = SHARED, **more: object) -> DraftOpened:
    return DraftOpened(**{"collection": DIGITS, "draft": draft, "type": "dataset", **more})  # type: ignore[arg-type]


def _version_of(history: History, draft: str) -> int | None:
    ((version,),) = rows_of(history.database, "SELECT version FROM drafts WHERE draft = ?", draft)
    return version  # type: ignore[no-any-return]


def _aliases(history: History, collection: str = DIGITS) -> dict[str, int]:
    open_rows = "SELECT alias, version FROM aliases WHERE collection = ? AND to_position IS NULL"
    return dict(rows_of(history.database, open_rows, collection))


def _said(history: History, version: int) -> dict[str, str]:
    open_rows = "SELECT field, value FROM version_facts WHERE collection = ? AND version = ? AND to_position IS NULL"
    return dict(rows_of(history.database, open_rows, DIGITS, version))


def _paths(history: History, version: int) -> set[str]:
    return set(listing_of(history.database, DIGITS, version))


# --- refusals -----------------------------------------------------------------------------------------------------


def _another_type(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    return _opened(type="model")


def _another_base(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    history.write(_opened())
    return _opened(base=0)


def _unknown_base(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    return _opened(base=1)


def _unknown_draft(history: History) -> Event:
    return _added(SHARED, {"a": b"1"})


def _sealed_draft(history: History) -> Event:
    history.write(_opened(), _committed(SHARED))
    return _added(SHARED, {"late": b"1"})


def _discarded_draft(history: History) -> Event:
    history.write(_opened(), DraftDiscarded(collection=DIGITS, draft=SHARED))
    return _committed(SHARED)


def _file_and_folder(history: History) -> Event:
    history.write(_opened())
    return _added(SHARED, {"a": b"1", "a/b": b"2"})


def _another_digest(history: History) -> Event:
    history.write(_opened(), _added(SHARED, {"a": b"1"}))
    return _committed(SHARED, expected_digest="0" * 64)


def _unknown_version(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    return ArtifactUsed(collection=DIGITS, version=1, run=f"{PROJECT}/r", requested="digits:v1")


def _deleted_version(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0))
    return VersionDescribed(collection=DIGITS, version=0, description="too late")


def _alias_elsewhere(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"}, aliases=["best"])
    history.commit(DIGITS, {"a": b"2"})
    return AliasMoved(collection=DIGITS, alias="best", version=1, expected=ExpectedAlias(1))


def _alias_held(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"}, aliases=["best"])
    return VersionDeleted(collection=DIGITS, version=0)


def _condemned_object(history: History) -> Event:
    history.write(_opened())
    history.write(BlobsCondemned(project=PROJECT, objects=(pack_of(PROJECT),)))
    return _added(SHARED, {"a": b"1"})


def _bad_path(history: History) -> Event:
    history.write(_opened())
    return _added(SHARED, {"../up": b"1"})


REFUSALS: dict[Reason, Callable[[History], Event]] = {
    Reason.INVALID: _bad_path,
    Reason.TYPE_MISMATCH: _another_type,
    Reason.BASE_MISMATCH: _another_base,
    Reason.BASE_UNKNOWN: _unknown_base,
    Reason.DRAFT_UNKNOWN: _unknown_draft,
    Reason.DRAFT_SEALED: _sealed_draft,
    Reason.DRAFT_DISCARDED: _discarded_draft,
    Reason.PATH_CONFLICT: _file_and_folder,
    Reason.DIGEST_MISMATCH: _another_digest,
    Reason.VERSION_UNKNOWN: _unknown_version,
    Reason.VERSION_DELETED: _deleted_version,
    Reason.ALIAS_MOVED: _alias_elsewhere,
    Reason.ALIAS_HELD: _alias_held,
    Reason.BLOB_CONDEMNED: _condemned_object,
}
NOT_HERE = {
    Reason.SEQUENCE_GAP: "moves no mark; it has tests of its own below",
    Reason.PATH_UNKNOWN: "kept free: taking out what is not there leaves it not there",
    Reason.NOT_PERMITTED: "kept free for when access is judged",
}
_BOOKS = {"rejections", "sessions", "log_positions"}  # what a refusal may write to


def _tables(history: History) -> dict[str, str]:
    with history.database.reading() as connection:
        return dict(table_fingerprints(connection))


@pytest.mark.parametrize("reason", REFUSALS, ids=str)
def test_a_refused_event_is_on_record_and_changes_nothing_else(history: History, reason: Reason) -> None:
    event = REFUSALS[reason](history)
    before = _tables(history)

    history.write(event, by="bert")

    assert rejections_of(history.database) == [reason]
    changed = {name for name, digest in _tables(history).items() if before[name] != digest}
    assert changed == _BOOKS


def test_every_reason_has_a_history_that_gives_it() -> None:
    assert REFUSALS.keys() | NOT_HERE.keys() == set(Reason)


def test_an_event_under_another_key_is_refused(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    record = history.writer("bert").stamp(VersionDeleted(collection=DIGITS, version=0))
    history.log.append([NewRecord(keys.collection_key(MODEL), record.payload)], timeout_s=5)

    history.project()

    assert rejections_of(history.database) == [Reason.INVALID]
    assert "deleted" not in _said(history, 0)


def test_sizes_that_cannot_be_summed_up_are_refused(history: History) -> None:
    huge = FileEntries(
        paths=["a", "b"], digests=bytes(32), sizes=[2**63 - 1] * 2, objects=[pack_of(PROJECT)],
        object_indexes=[0, 0], offsets=[0, 0],
    )  # fmt: skip

    history.write(_opened(), EntryAdded(collection=DIGITS, draft=SHARED, files=huge))

    assert rejections_of(history.database) == [Reason.INVALID]


# --- a writer's order ---------------------------------------------------------------------------------------------


def test_a_gap_moves_no_mark_and_what_is_sent_again_applies(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    writer = history.writer()
    missing = writer.stamp(VersionRecalled(collection=DIGITS, version=0, reason="missing"))
    later = writer.stamp(VersionDescribed(collection=DIGITS, version=0, description="later"))
    history.log.append([later], timeout_s=5)
    history.project()
    refused = rejections_of(history.database), _said(history, 0)

    history.log.append([missing, later], timeout_s=5)
    history.project()

    assert refused == ([Reason.SEQUENCE_GAP], {})
    assert _said(history, 0) == {"recalled": "missing", "description": "later"}


def test_a_refusal_by_a_rule_counts_as_judged(history: History) -> None:
    refused = history.writer().stamp(VersionRecalled(collection=DIGITS, version=0, reason="too early"))
    history.log.append([refused], timeout_s=5)
    history.commit(DIGITS, {"a": b"1"})

    history.log.append([refused], timeout_s=5)
    history.project()

    assert rejections_of(history.database) == [Reason.VERSION_UNKNOWN]
    assert _said(history, 0) == {}


# --- numbers and content ------------------------------------------------------------------------------------------


def test_version_numbers_are_dense_whatever_was_refused_or_recognised(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"}, type="model")
    history.commit(DIGITS, {"a": b"3"})

    assert [number for number, _ in versions_of(history.database, DIGITS)] == [0, 1]


def test_content_of_any_live_version_is_recognised(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})

    history.commit(DIGITS, {"a": b"1"}, aliases=["best"], run=f"{PROJECT}/r")

    assert len(versions_of(history.database, DIGITS)) == 2
    assert _aliases(history) == {"latest": 0, "best": 0}
    assert rows_of(history.database, "SELECT version, run FROM outputs") == [(0, f"{PROJECT}/r")]


def test_content_of_a_deleted_version_is_logged_as_a_new_one(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0))

    history.commit(DIGITS, {"a": b"1"})

    assert _aliases(history) == {"latest": 1}


def test_of_several_live_versions_with_one_content_the_first_is_recognised(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0))
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionRestored(collection=DIGITS, version=0))

    history.commit(DIGITS, {"a": b"1"})
    first = _aliases(history)["latest"]
    history.write(VersionDeleted(collection=DIGITS, version=0))
    history.commit(DIGITS, {"a": b"1"})

    assert (first, _aliases(history)["latest"]) == (0, 1)


def test_a_restored_version_does_not_hide_an_older_one_with_its_content(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0))
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=1))
    history.write(VersionRestored(collection=DIGITS, version=0))
    history.write(VersionRestored(collection=DIGITS, version=1))

    history.commit(DIGITS, {"a": b"1"}, aliases=["best"])

    assert _aliases(history)["best"] == 0


def test_a_version_without_entries_can_be_a_base(history: History) -> None:
    history.commit(DIGITS)

    history.commit(DIGITS, {"a": b"1"}, base=0)

    assert (_paths(history, 0), _paths(history, 1)) == (set(), {"a"})


def test_a_base_may_be_any_version_whatever_was_committed_since(history: History) -> None:
    history.commit(DIGITS, {"a": b"1", "b": b"1"})
    history.commit(DIGITS, {"c": b"1"}, base=0)

    history.commit(DIGITS, {"d": b"1"}, base=0, removed=["a"])

    assert [_paths(history, n) for n in range(3)] == [{"a", "b"}, {"a", "b", "c"}, {"b", "d"}]


def test_a_folder_is_taken_out_with_all_that_is_under_it(history: History) -> None:
    history.commit(DIGITS, {"d": b"0", "e/x": b"1", "e/y/z": b"2", "e0": b"3", "ee/x": b"4"})
    removed = EntryRemoved(collection=DIGITS, draft=SHARED, folders=("e",))

    history.write(_opened(base=0), _added(SHARED, {"e/new": b"5"}), removed, _committed(SHARED))

    assert _paths(history, 1) == {"d", "e0", "ee/x"}


def test_a_folder_is_taken_out_with_what_came_back_into_it(history: History) -> None:
    history.commit(DIGITS, {f"f{n}": b"0" for n in range(9)})
    history.commit(DIGITS, {"f0": b"1"}, base=0, removed=["d/x"])
    removed = EntryRemoved(collection=DIGITS, draft=SHARED, folders=("d",))

    history.write(_opened(base=1), _added(SHARED, {"d/x": b"1"}), removed, _committed(SHARED))

    assert _version_of(history, SHARED) == 1


def test_what_is_added_after_its_removal_is_there(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    removed = EntryRemoved(collection=DIGITS, draft=SHARED, paths=("a",))

    history.write(_opened(base=0), removed, _added(SHARED, {"a": b"2"}), _committed(SHARED))

    assert _paths(history, 1) == {"a"}


def test_a_file_and_a_reference_supersede_each_other(history: History) -> None:
    reference = EntryAdded(collection=DIGITS, draft=SHARED, references=(Reference("a", "s3://bucket/a"),))

    history.write(_opened(), _added(SHARED, {"a": b"1"}), reference, _committed(SHARED))

    assert listing_of(history.database, DIGITS, 0)["a"][5] == "s3://bucket/a"
    assert rows_of(history.database, "SELECT entry_count, size_bytes FROM versions") == [(1, 0)]


# --- shared drafts ------------------------------------------------------------------------------------------------


def test_a_second_commit_of_a_draft_is_the_same_version(history: History) -> None:
    history.write(_opened(), _added(SHARED, {"a": b"1"}), _committed(SHARED))

    history.write(_committed(SHARED, aliases=("mine",)), by="bert")

    assert _version_of(history, SHARED) == 0
    assert len(versions_of(history.database, DIGITS)) == 1
    assert rejections_of(history.database) == []


@pytest.mark.parametrize("commit_at", range(3))
def test_a_commit_that_waits_for_writers_seals_when_the_last_is_done(history: History, commit_at: int) -> None:
    done = WriterDone(collection=DIGITS, draft=SHARED)
    last_words: list[tuple[Event, str]] = [(done, "ada"), (done, "bert")]
    last_words.insert(commit_at, (_committed(SHARED, writers=2), "ada"))
    history.write(_opened(), _added(SHARED, {"a": b"1"}))

    sealed = []
    for event, writer in last_words:
        history.write(event, by=writer)
        sealed.append(_version_of(history, SHARED))

    assert sealed == [None, None, 0]


def test_a_writer_that_says_twice_that_it_is_done_counts_once(history: History) -> None:
    done = WriterDone(collection=DIGITS, draft=SHARED)

    history.write(_opened(), _committed(SHARED, writers=2), done, done)

    assert _version_of(history, SHARED) is None


def test_a_version_that_waited_for_writers_is_its_committers(history: History) -> None:
    done = WriterDone(collection=DIGITS, draft=SHARED)
    history.write(_opened(), _committed(SHARED, writers=1), by="ada")

    history.write(done, by="bert")

    assert rows_of(history.database, "SELECT who FROM versions") == [("ada",)]


def test_a_commit_that_is_refused_after_waiting_is_refused_to_its_committer(history: History) -> None:
    wrong = _committed(SHARED, writers=1, expected_digest="0" * 64)
    history.write(_opened(), wrong, by="ada")
    history.write(WriterDone(collection=DIGITS, draft=SHARED), by="bert")

    history.write(_committed(SHARED), by="ada")

    refused = rows_of(history.database, "SELECT session, event, reason FROM rejections")
    assert refused == [(history.writer("ada").session, "version-committed", Reason.DIGEST_MISMATCH)]
    assert _version_of(history, SHARED) == 0


def test_contested_paths_are_counted_and_named_and_the_last_event_counts(history: History) -> None:
    history.write(_opened(), _added(SHARED, {"mine": b"1", "ours": b"1"}), by="ada")
    history.write(_added(SHARED, {"ours": b"22"}), by="bert")
    history.write(_added(SHARED, {"mine": b"1"}), _committed(SHARED), by="ada")

    assert rows_of(history.database, "SELECT contested FROM versions") == [(1,)]
    assert rows_of(history.database, "SELECT version, path FROM contested_paths") == [(0, "ours")]
    assert listing_of(history.database, DIGITS, 0)["ours"][1] == 2


# --- what may change ----------------------------------------------------------------------------------------------


def test_an_alias_moves_only_from_where_it_was_expected(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})

    history.write(AliasMoved(collection=DIGITS, alias="best", version=0, expected=ExpectedAlias(None)))
    history.write(AliasMoved(collection=DIGITS, alias="best", version=1, expected=ExpectedAlias(0)))
    history.write(AliasMoved(collection=DIGITS, alias="best", version=0, expected=ExpectedAlias(None)))

    assert _aliases(history) == {"latest": 1, "best": 1}
    assert rejections_of(history.database) == [Reason.ALIAS_MOVED]


def test_a_deletion_takes_the_aliases_along_where_that_is_asked_for(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"}, aliases=["best"])

    history.write(VersionDeleted(collection=DIGITS, version=1, delete_aliases=True))

    assert _aliases(history) == {"latest": 0}


def test_a_restored_version_is_latest_where_nothing_else_is_left(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0))
    gone = _aliases(history)

    history.write(VersionRestored(collection=DIGITS, version=0))

    assert (gone, _aliases(history)) == ({}, {"latest": 0})


def test_only_what_a_description_carries_changes(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, description="old", metadata='{"a":{"x":1},"b":2}', ttl_seconds=60)

    history.write(VersionDescribed(collection=DIGITS, version=0, metadata_patch='{"a":{"y":2},"b":null}'))
    history.write(VersionDescribed(collection=DIGITS, version=0, description="", ttl_seconds=0))

    assert _said(history, 0) == {"metadata": '{"a":{"x":1,"y":2}}'}


def test_content_that_is_there_keeps_what_was_said_and_is_not_said_anew(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, description="kept", metadata='{"old":1}', tags=["good"])

    history.commit(DIGITS, {"a": b"1"}, metadata='{"new":1}')

    assert _said(history, 0) == {"description": "kept", "metadata": '{"new":1}'}
    assert rows_of(history.database, "SELECT tag FROM tags WHERE to_position IS NULL") == [("good",)]


# --- dead letters -------------------------------------------------------------------------------------------------

KEY = keys.collection_key(DIGITS)


def _damage(history: History, key: str = KEY) -> DeadLetterResolved:
    """Append a record that does not decode; the event that would let go on what comes after it."""
    whole = history.writer("nobody").stamp(VersionDeleted(collection=DIGITS, version=0), sequence=0)
    (position,) = history.log.append([NewRecord(key, whole.payload[:-1])], timeout_s=5)
    history.project()
    return DeadLetterResolved(key=key, partition=position.partition, offset=position.offset, decision="skip")


def _open_letters(history: History) -> int:
    return len(rows_of(history.database, "SELECT 1 FROM dead_letters WHERE decision IS NULL"))


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

    assert [_paths(history, n) for n in range(2)] == [{"a"}, {"a", "b"}]
    assert rows_of(history.database, "SELECT DISTINCT position FROM versions") == [(at,)]
    assert rows_of(history.database, "SELECT DISTINCT applied_position FROM parked_records") == [(at,)]
    assert _open_letters(history) == 0


def test_subscribers_are_told_of_what_waited_where_it_was_let_go_on(history: History) -> None:
    resolved = _damage(history)
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})

    at = history.write(resolved, by="operator")

    told = rows_of(history.database, 'SELECT "offset", n, kind FROM outbox ORDER BY "offset", n')
    assert told == [(at, 0, "version-committed"), (at, 1, "version-committed")]


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
        history.write(*events[1:], _committed(SHARED))
    resolved = DeadLetterResolved(key=KEY, partition=at.partition, offset=at.offset, decision="retry")

    history.write(resolved, by="operator")

    assert _paths(history, 0) == {"a"}
    assert rejections_of(history.database) == []


def _retry(resolved: DeadLetterResolved) -> DeadLetterResolved:
    return DeadLetterResolved(key=resolved.key, partition=resolved.partition, offset=resolved.offset, decision="retry")


def test_each_partition_waits_for_its_own_dead_letters_of_a_project(tmp_path: Path) -> None:
    log, database = MemoryLog(2), Database.open_sqlite(tmp_path / "projection.db")
    history, key = History(log, database), keys.project_key(PROJECT)
    granted = history.writer("admin").stamp(BlobsCondemned(project=PROJECT, objects=("x",)))
    log.append([NewRecord(key, granted.payload[:-1], (), 1)])

    log.append([NewRecord(key, granted.payload, (), partition) for partition in (0, 1)])
    history.project()

    assert rows_of(database, "SELECT partition FROM condemned_objects") == [(0,)]
    assert rows_of(database, "SELECT partition FROM parked_records") == [(1,)]
    database.close()


def test_an_object_is_condemned_for_a_partition_by_that_partitions_own_event(tmp_path: Path) -> None:
    log, database = MemoryLog(2), Database.open_sqlite(tmp_path / "projection.db")
    history = History(log, database)
    elsewhere = 1 - log.partition_of(KEY)
    condemned = history.writer("admin").stamp(BlobsCondemned(project=PROJECT, objects=(pack_of(PROJECT),)))
    log.append([NewRecord(condemned.key, condemned.payload, (), elsewhere)])
    history.project()

    history.commit(DIGITS, {"a": b"1"})

    # Whether the other partition's event is there yet must not decide: a replay may read it later.
    assert rejections_of(database) == []
    database.close()


# --- layers -------------------------------------------------------------------------------------------------------

VERSIONS = 1_000
CHAIN_MAX = 11  # log2 of the entries, and one


def _chains(history: History) -> list[int]:
    return [len(layers.split(",")) for (layers,) in rows_of(history.database, "SELECT layers FROM versions")]


def test_the_topmost_layer_that_names_a_path_counts(history: History) -> None:
    history.commit(DIGITS, {f"f{n}": b"0" for n in range(20)})
    history.commit(DIGITS, {f"f{n}": b"11" for n in range(5)}, base=0)
    history.commit(DIGITS, {"f0": b"222"}, base=1)
    history.commit(DIGITS, {"f0": b"3333"}, base=2, removed=["f1"])

    sizes = [listing_of(history.database, DIGITS, n)["f0"][1] for n in range(4)]
    assert sizes == [1, 2, 3, 4]
    for number, digest in versions_of(history.database, DIGITS):
        assert digest_of(listing_of(history.database, DIGITS, number)) == digest


def test_a_removal_hides_what_is_below_as_long_as_there_is_something(history: History) -> None:
    history.commit(DIGITS, {f"f{n}": b"0" for n in range(9)})

    history.commit(DIGITS, base=0, removed=["f0"])
    history.commit(DIGITS, {"new": b"1"}, base=1)

    assert "f0" not in _paths(history, 2)
    assert rows_of(history.database, "SELECT count(*) FROM entries WHERE kind = 2 AND path = 'f0'") == [(2,)]


def test_marks_of_removal_are_not_kept_where_nothing_is_below(history: History) -> None:
    history.commit(DIGITS, {"a": b"1", "b": b"1"})

    history.commit(DIGITS, {"c": b"1"}, base=0, removed=["a"])

    assert _paths(history, 1) == {"b", "c"}
    assert rows_of(history.database, "SELECT count(*) FROM entries WHERE kind = 2") == [(0,)]


def test_chains_stay_logarithmic_and_old_versions_stay_what_they_are(tmp_path: Path) -> None:
    history = History(MemoryLog(), Database.open_sqlite(tmp_path / "projection.db"))
    for n in range(VERSIONS):
        draft, events = history.draft(DIGITS, {f"f{n}": b"1"}, base=n - 1 if n else None)
        history.writer().write(*events, _committed(draft))

    history.project()

    assert max(_chains(history)) <= CHAIN_MAX
    for n in (0, 1, 499, VERSIONS - 1):
        assert _paths(history, n) == {f"f{i}" for i in range(n + 1)}
    history.close()


def test_chains_stay_logarithmic_where_each_change_is_smaller_than_the_last(tmp_path: Path) -> None:
    history = History(MemoryLog(), Database.open_sqlite(tmp_path / "projection.db"))
    sizes = range(40, 0, -1)
    for n, size in enumerate(sizes):
        draft, events = history.draft(DIGITS, {f"{n}-{i}": b"1" for i in range(size)}, base=n - 1 if n else None)
        history.writer().write(*events, _committed(draft))

    history.project()

    assert max(_chains(history)) <= CHAIN_MAX
    assert rows_of(history.database, "SELECT max(entry_count) FROM versions") == [(sum(sizes),)]
    history.close()
