"""What the projector allows, what it refuses, and what each event means, one example a rule."""

from collections.abc import Callable

import pytest
from headwater_consumer.database.fingerprint import table_fingerprints
from headwater_eventlog.port import NewRecord
from headwater_schemas import keys
from headwater_schemas.entries import FileEntries, Reference
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    DraftDiscarded,
    EntryAdded,
    EntryRemoved,
    Event,
    ExpectedVersion,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
    WriterDone,
)

from tests.consumer.events import (
    DIGITS,
    MODEL,
    PROJECT,
    SHARED,
    added,
    aliases,
    attributes,
    committed,
    opened,
    paths,
    version_of,
)
from tests.consumer.inspection import listing_of, rejections_of, rows_of, versions_of
from tests.support.histories import ANOTHER_EVENT, BROADCAST
from tests.support.history import History, pack_of

# --- refusals -----------------------------------------------------------------------------------------------------


def _another_type(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    return opened(type="model")


def _another_base(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    history.write(opened())
    return opened(base=0)


def _unknown_base(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    return opened(base=1)


def _unknown_draft(history: History) -> Event:
    return added(SHARED, {"a": b"1"})


def _sealed_draft(history: History) -> Event:
    history.write(opened(), committed(SHARED))
    return added(SHARED, {"late": b"1"})


def _discarded_draft(history: History) -> Event:
    history.write(opened(), DraftDiscarded(collection=DIGITS, draft=SHARED))
    return committed(SHARED)


def _touched_draft(history: History) -> Event:
    history.write(opened(), added(SHARED, {"a": b"1"}))
    return DraftDiscarded(collection=DIGITS, draft=SHARED, last_event=ANOTHER_EVENT)


def _file_and_folder(history: History) -> Event:
    history.write(opened())
    return added(SHARED, {"a": b"1", "a/b": b"2"})


def _another_digest(history: History) -> Event:
    history.write(opened(), added(SHARED, {"a": b"1"}))
    return committed(SHARED, expected_digest="0" * 64)


def _unknown_version(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    return ArtifactUsed(collection=DIGITS, version=1, run=f"{PROJECT}/r", requested="digits:v1")


def _deleted_version(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))
    return VersionDescribed(collection=DIGITS, version=0, description="too late")


def _alias_elsewhere(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"}, aliases=["best"])
    history.commit(DIGITS, {"a": b"2"})
    return AliasMoved(collection=DIGITS, alias="best", version=1, expected=ExpectedVersion(1))


def _alias_held(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"}, aliases=["best"])
    return VersionDeleted(collection=DIGITS, version=0)


def _condemned_object(history: History) -> Event:
    history.write(opened())
    history.write(BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(pack_of(PROJECT),)))
    return added(SHARED, {"a": b"1"})


def _latest_elsewhere(history: History) -> Event:
    history.commit(DIGITS, {"a": b"1"})
    history.write(opened())
    return committed(SHARED, expect_latest=ExpectedVersion(None))


def _another_description(history: History) -> Event:
    history.write(opened(), committed(SHARED, description="first"))
    return committed(SHARED, description="second")


def _without_the_right(history: History) -> Event:
    history.write(opened(), committed(SHARED))
    return committed(SHARED, tags=("mine",), rights=())


def _bad_path(history: History) -> Event:
    history.write(opened())
    return added(SHARED, {"../up": b"1"})


REFUSALS: dict[Reason, Callable[[History], Event]] = {
    Reason.INVALID: _bad_path,
    Reason.TYPE_MISMATCH: _another_type,
    Reason.BASE_MISMATCH: _another_base,
    Reason.BASE_UNKNOWN: _unknown_base,
    Reason.DRAFT_UNKNOWN: _unknown_draft,
    Reason.DRAFT_SEALED: _sealed_draft,
    Reason.DRAFT_DISCARDED: _discarded_draft,
    Reason.DRAFT_TOUCHED: _touched_draft,
    Reason.PATH_CONFLICT: _file_and_folder,
    Reason.DIGEST_MISMATCH: _another_digest,
    Reason.VERSION_UNKNOWN: _unknown_version,
    Reason.VERSION_DELETED: _deleted_version,
    Reason.ALIAS_MOVED: _alias_elsewhere,
    Reason.ALIAS_HELD: _alias_held,
    Reason.BLOB_CONDEMNED: _condemned_object,
    Reason.LATEST_MOVED: _latest_elsewhere,
    Reason.COMMIT_CONFLICT: _another_description,
    Reason.NOT_PERMITTED: _without_the_right,
}
NOT_HERE = {
    Reason.SEQUENCE_GAP: "moves no mark; it has tests of its own below",
    Reason.PATH_UNKNOWN: "kept free: taking out what is not there leaves it not there",
    Reason.SESSION_RETIRED: "moves no mark; see `test_sessions`",
    Reason.ALGORITHM_CHOSEN: "a rule of settings; see `test_settings`",
    Reason.STATE_CHANGED: "see `test_decided_deletions`",
    **dict.fromkeys((Reason.VERSION_PURGED, Reason.VERSION_NOT_DELETED), "see `test_purging`"),
    Reason.SKIPPED: "an operator's decision; see `test_dead_letters`",
}
_BOOKS = {"rejections", "sessions"}  # what a refusal may write to


def _tables(history: History) -> dict[str, str]:
    with history.database.snapshot() as connection:
        return dict(table_fingerprints(connection))


@pytest.mark.parametrize("reason", REFUSALS, ids=str)
def test_a_refused_event_is_on_record_and_changes_nothing_else(history: History, reason: Reason) -> None:
    event = REFUSALS[reason](history)
    before = _tables(history)

    history.write(event, by="bert")

    assert rejections_of(history.database) == [reason]
    assert {name for name, digest in _tables(history).items() if before[name] != digest} == _BOOKS


def test_every_reason_has_a_history_that_gives_it() -> None:
    assert REFUSALS.keys() | NOT_HERE.keys() == set(Reason)


def test_an_event_under_another_key_is_refused(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    record = history.writer("bert").stamp(VersionDeleted(collection=DIGITS, version=0))
    history.log.append([NewRecord(keys.collection_key(MODEL), record.payload)], timeout_s=5)

    history.project()

    assert rejections_of(history.database) == [Reason.INVALID]
    assert "deleted" not in attributes(history, 0)


def test_sizes_that_cannot_be_summed_up_are_refused(history: History) -> None:
    huge = FileEntries(
        paths=["a", "b"], digests=bytes(32), sizes=[2**63 - 1] * 2, objects=[pack_of(PROJECT)],
        object_indexes=[0, 0], offsets=[0, 0],
    )  # fmt: skip

    history.write(opened(), EntryAdded(collection=DIGITS, draft=SHARED, files=huge))

    assert rejections_of(history.database) == [Reason.INVALID]


# --- a writer's order ---------------------------------------------------------------------------------------------


def test_a_gap_moves_no_mark_and_what_is_sent_again_applies(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    writer = history.writer()
    missing = writer.stamp(VersionRecalled(collection=DIGITS, version=0, reason="missing"))
    later = writer.stamp(VersionDescribed(collection=DIGITS, version=0, description="later"))
    history.log.append([later], timeout_s=5)
    history.project()
    refused = rejections_of(history.database), attributes(history, 0)

    history.log.append([missing, later], timeout_s=5)
    history.project()

    assert refused == ([Reason.SEQUENCE_GAP], {})
    assert attributes(history, 0) == {"recalled": "missing", "description": "later"}


def test_a_refusal_by_a_rule_counts_as_judged(history: History) -> None:
    refused = history.writer().stamp(VersionRecalled(collection=DIGITS, version=0, reason="too early"))
    history.log.append([refused], timeout_s=5)
    history.commit(DIGITS, {"a": b"1"})

    history.log.append([refused], timeout_s=5)
    history.project()

    assert rejections_of(history.database) == [Reason.VERSION_UNKNOWN]
    assert attributes(history, 0) == {}


# --- numbers and content ------------------------------------------------------------------------------------------


def test_version_numbers_are_dense_whatever_was_refused_or_deduplicated(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"}, type="model")
    history.commit(DIGITS, {"a": b"3"})

    assert [number for number, _ in versions_of(history.database, DIGITS)] == [0, 1]


def test_content_of_any_live_version_is_deduplicated(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})

    history.commit(DIGITS, {"a": b"1"}, aliases=["best"], run=f"{PROJECT}/r")

    assert len(versions_of(history.database, DIGITS)) == 2
    assert aliases(history) == {"latest": 0, "best": 0}
    assert rows_of(history.database, "SELECT version, run FROM run_outputs") == [(0, f"{PROJECT}/r")]


def test_content_of_a_deleted_version_is_logged_as_a_new_one(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))

    history.commit(DIGITS, {"a": b"1"})

    assert aliases(history) == {"latest": 1}


def test_of_several_live_versions_with_one_content_the_first_is_deduplicated(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionRestored(collection=DIGITS, version=0))

    history.commit(DIGITS, {"a": b"1"})
    first = aliases(history)["latest"]
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))
    history.commit(DIGITS, {"a": b"1"})

    assert (first, aliases(history)["latest"]) == (0, 1)


def test_a_restored_version_does_not_hide_an_older_one_with_its_content(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=1, delete_aliases=True))
    history.write(VersionRestored(collection=DIGITS, version=0))
    history.write(VersionRestored(collection=DIGITS, version=1))

    history.commit(DIGITS, {"a": b"1"}, aliases=["best"])

    assert aliases(history)["best"] == 0


def test_a_version_without_entries_can_be_a_base(history: History) -> None:
    history.commit(DIGITS)

    history.commit(DIGITS, {"a": b"1"}, base=0)

    assert (paths(history, 0), paths(history, 1)) == (set(), {"a"})


def test_a_base_may_be_any_version_whatever_was_committed_since(history: History) -> None:
    history.commit(DIGITS, {"a": b"1", "b": b"1"})
    history.commit(DIGITS, {"c": b"1"}, base=0)

    history.commit(DIGITS, {"d": b"1"}, base=0, removed=["a"])

    assert [paths(history, n) for n in range(3)] == [{"a", "b"}, {"a", "b", "c"}, {"b", "d"}]


def test_a_folder_is_taken_out_with_all_that_is_under_it(history: History) -> None:
    history.commit(DIGITS, {"d": b"0", "e/x": b"1", "e/y/z": b"2", "e0": b"3", "ee/x": b"4"})
    removed = EntryRemoved(collection=DIGITS, draft=SHARED, folders=("e",))

    history.write(opened(base=0), added(SHARED, {"e/new": b"5"}), removed, committed(SHARED))

    assert paths(history, 1) == {"d", "e0", "ee/x"}


def test_a_folder_is_taken_out_with_what_came_back_into_it(history: History) -> None:
    history.commit(DIGITS, {f"f{n}": b"0" for n in range(9)})
    history.commit(DIGITS, {"f0": b"1"}, base=0, removed=["d/x"])
    removed = EntryRemoved(collection=DIGITS, draft=SHARED, folders=("d",))

    history.write(opened(base=1), added(SHARED, {"d/x": b"1"}), removed, committed(SHARED))

    assert version_of(history, SHARED) == 1


def test_what_is_added_after_its_removal_is_there(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    removed = EntryRemoved(collection=DIGITS, draft=SHARED, paths=("a",))

    history.write(opened(base=0), removed, added(SHARED, {"a": b"2"}), committed(SHARED))

    assert paths(history, 1) == {"a"}


def test_a_file_and_a_reference_supersede_each_other(history: History) -> None:
    reference = EntryAdded(collection=DIGITS, draft=SHARED, references=(Reference("a", "s3://bucket/a"),))

    history.write(opened(), added(SHARED, {"a": b"1"}), reference, committed(SHARED))

    assert listing_of(history.database, DIGITS, 0)["a"][5] == "s3://bucket/a"
    assert rows_of(history.database, "SELECT entry_count, size_bytes FROM versions") == [(1, 0)]


# --- shared drafts ------------------------------------------------------------------------------------------------


def test_a_second_commit_of_a_draft_is_the_same_version(history: History) -> None:
    history.write(opened(), added(SHARED, {"a": b"1"}), committed(SHARED))

    history.write(committed(SHARED, aliases=("mine",)), by="bert")

    assert version_of(history, SHARED) == 0
    assert len(versions_of(history.database, DIGITS)) == 1
    assert rejections_of(history.database) == []


@pytest.mark.parametrize("commit_at", range(3))
def test_a_commit_that_waits_for_writers_seals_when_the_last_is_done(history: History, commit_at: int) -> None:
    done = WriterDone(collection=DIGITS, draft=SHARED)
    last_words: list[tuple[Event, str]] = [(done, "ada"), (done, "bert")]
    last_words.insert(commit_at, (committed(SHARED, writers=2), "ada"))
    history.write(opened(), added(SHARED, {"a": b"1"}))

    sealed = []
    for event, writer in last_words:
        history.write(event, by=writer)
        sealed.append(version_of(history, SHARED))

    assert sealed == [None, None, 0]


def test_a_writer_that_says_twice_that_it_is_done_counts_once(history: History) -> None:
    done = WriterDone(collection=DIGITS, draft=SHARED)

    history.write(opened(), committed(SHARED, writers=2), done, done)

    assert version_of(history, SHARED) is None


def test_a_version_that_waited_for_writers_is_its_committers(history: History) -> None:
    done = WriterDone(collection=DIGITS, draft=SHARED)
    history.write(opened(), committed(SHARED, writers=1), by="ada")

    history.write(done, by="bert")

    assert rows_of(history.database, "SELECT author FROM versions") == [("ada",)]


def test_a_commit_that_is_refused_after_waiting_is_refused_to_its_committer(history: History) -> None:
    wrong = committed(SHARED, writers=1, expected_digest="0" * 64)
    history.write(opened(), wrong, by="ada")
    history.write(WriterDone(collection=DIGITS, draft=SHARED), by="bert")

    history.write(committed(SHARED), by="ada")

    refused = rows_of(history.database, "SELECT session, event, reason FROM rejections")
    assert refused == [(history.writer("ada").session, "version-committed", Reason.DIGEST_MISMATCH)]
    assert version_of(history, SHARED) == 0


def test_contested_paths_are_counted_and_named_and_the_last_event_counts(history: History) -> None:
    history.write(opened(), added(SHARED, {"mine": b"1", "ours": b"1"}), by="ada")
    history.write(added(SHARED, {"ours": b"22"}), by="bert")
    history.write(added(SHARED, {"mine": b"1"}), committed(SHARED), by="ada")

    assert rows_of(history.database, "SELECT contested_count FROM versions") == [(1,)]
    assert rows_of(history.database, "SELECT version, path FROM contested_paths") == [(0, "ours")]
    assert listing_of(history.database, DIGITS, 0)["ours"][1] == 2


# --- what may change ----------------------------------------------------------------------------------------------


def test_an_alias_moves_only_from_where_it_was_expected(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})

    history.write(AliasMoved(collection=DIGITS, alias="best", version=0, expected=ExpectedVersion(None)))
    history.write(AliasMoved(collection=DIGITS, alias="best", version=1, expected=ExpectedVersion(0)))
    history.write(AliasMoved(collection=DIGITS, alias="best", version=0, expected=ExpectedVersion(None)))

    assert aliases(history) == {"latest": 1, "best": 1}
    assert rejections_of(history.database) == [Reason.ALIAS_MOVED]


def test_a_deletion_takes_the_aliases_along_where_that_is_asked_for(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"}, aliases=["best"])

    history.write(VersionDeleted(collection=DIGITS, version=1, delete_aliases=True))

    assert aliases(history) == {"latest": 0}


def test_a_restored_version_is_latest_where_nothing_else_is_left(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))
    gone = aliases(history)

    history.write(VersionRestored(collection=DIGITS, version=0))

    assert (gone, aliases(history)) == ({}, {"latest": 0})


def test_only_what_a_description_carries_changes(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, description="old", metadata='{"a":{"x":1},"b":2}', ttl_seconds=60)

    history.write(VersionDescribed(collection=DIGITS, version=0, metadata_patch='{"a":{"y":2},"b":null}'))
    history.write(VersionDescribed(collection=DIGITS, version=0, description="", ttl_seconds=0))

    assert attributes(history, 0) == {"metadata": '{"a":{"x":1,"y":2}}'}


def test_content_that_is_there_keeps_what_was_said_and_is_not_said_anew(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, description="kept", metadata='{"old":1}', tags=["good"])

    history.commit(DIGITS, {"a": b"1"}, metadata='{"new":1}')

    assert attributes(history, 0) == {"description": "kept", "metadata": '{"new":1}'}
    assert rows_of(history.database, "SELECT tag FROM tags WHERE to_position IS NULL") == [("good",)]


def test_latest_is_an_alias_like_others_when_its_version_is_deleted(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})
    history.write(VersionDeleted(collection=DIGITS, version=1))
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")

    history.write(VersionDeleted(collection=DIGITS, version=1, delete_aliases=True))

    assert "digits:v1 has the aliases latest" in message
    assert rejections_of(history.database) == [Reason.ALIAS_HELD]
    assert aliases(history) == {"latest": 0}


def test_latest_can_be_moved_by_hand_and_a_number_cannot(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"})

    history.write(AliasMoved(collection=DIGITS, alias="latest", version=0))
    history.write(AliasMoved(collection=DIGITS, alias="v7", version=0))
    history.write(AliasMoved(collection=DIGITS, alias="v0", version=None))

    assert aliases(history) == {"latest": 0}
    assert rejections_of(history.database) == [Reason.INVALID] * 2
