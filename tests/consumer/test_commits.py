"""What commits give their version: by several writers of one draft, for content that exists, and on a condition."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from headwater_consumer.queries import version_info
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    EDIT_EXISTING,
    MOVE_ALIASES,
    ExpectedVersion,
    Imported,
    Transaction,
    VersionCommitted,
    VersionDeleted,
    WriterDone,
)

from tests.consumer.events import DIGITS, PROJECT, SHARED, added, aliases, attributes, committed, opened
from tests.consumer.inspection import rejections_of, rows_of, versions_of
from tests.support.history import CLOCK, History

RUNS = (f"{PROJECT}/first", f"{PROJECT}/second")


def _tags(history: History, version: int = 0) -> set[str]:
    sql = "SELECT tag FROM tags WHERE collection = ? AND version = ? AND to_position IS NULL"
    return {tag for (tag,) in rows_of(history.database, sql, DIGITS, version)}


def _loggers(history: History) -> set[str]:
    return {run for (run,) in rows_of(history.database, "SELECT run FROM run_outputs")}


def _message(history: History) -> str:
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    return str(message)


def _done(history: History, *writers: str) -> None:
    history.write(*[WriterDone(collection=DIGITS, draft=SHARED, writer=writer) for writer in writers])


# --- several commits of one draft ---------------------------------------------------------------------------------


def test_commits_that_wait_for_the_same_writers_are_united(history: History) -> None:
    history.write(opened(), added(SHARED, {"a": b"1"}))
    history.write(committed(SHARED, writers=2, aliases=("best",), tags=("x",), description="all", run=RUNS[0]))
    history.write(committed(SHARED, writers=2, aliases=("prod",), tags=("y",), ttl_seconds=60, run=RUNS[1]), by="bert")

    _done(history, *RUNS)

    assert rejections_of(history.database) == []
    assert aliases(history) == {"latest": 0, "best": 0, "prod": 0}
    assert _tags(history) == {"x", "y"}
    assert attributes(history, 0) == {"description": "all", "ttl": "60"}
    assert _loggers(history) == set(RUNS)


def test_a_commit_that_waits_is_kept_byte_for_byte_as_it_came(history: History) -> None:
    history.write(opened())
    record = history.writer().stamp(committed(SHARED, writers=1, aliases=("best",)))
    # The same list, in the other way of writing one: with the size of its items before them.
    assert record.payload.count(b"\x02\x08best\x00") == 1
    payload = record.payload.replace(b"\x02\x08best\x00", b"\x01\x0a\x08best\x00")
    history.log.append([record._replace(payload=payload)], timeout_s=5)

    history.project()

    assert rows_of(history.database, "SELECT commit_payload FROM drafts") == [(payload,)]
    _done(history, RUNS[0])
    assert aliases(history) == {"latest": 0, "best": 0}


def test_a_commit_that_waits_is_united_with_one_that_seals_at_once(history: History) -> None:
    history.write(opened(), added(SHARED, {"a": b"1"}), committed(SHARED, writers=2, tags=("x",), description="all"))

    history.write(committed(SHARED, tags=("y",)), by="bert")

    assert _tags(history) == {"x", "y"}
    assert attributes(history, 0) == {"description": "all"}


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ({"description": "mine"}, {"description": "yours"}, ("'mine'", "'yours'")),
        ({"metadata": '{"a":1}'}, {"metadata": '{"a":2}'}, ('{"a":1}', '{"a":2}')),
        ({"ttl_seconds": 60}, {"ttl_seconds": 61}, ("'60'", "'61'")),
    ],
    ids=["description", "metadata", "time to live"],
)
@pytest.mark.parametrize("waits", [True, False])
def test_of_two_commits_that_differ_the_second_is_refused_naming_both(
    history: History, first: dict[str, object], second: dict[str, object], both: tuple[str, str], waits: bool
) -> None:
    writers = {"writers": 1} if waits else {}
    history.write(opened(), added(SHARED, {"a": b"1"}), committed(SHARED, **writers, **first))

    history.write(committed(SHARED, **writers, **second, tags=("mine",)), by="bert")
    if waits:
        _done(history, RUNS[0])

    assert rejections_of(history.database) == [Reason.COMMIT_CONFLICT]
    assert all(value in _message(history) for value in both)
    assert len(versions_of(history.database, DIGITS)) == 1
    assert _tags(history) == set()


def test_a_long_text_is_shortened_in_the_message_that_names_it(history: History) -> None:
    history.write(opened(), committed(SHARED, description="x" * 60_000))

    history.write(committed(SHARED, description="y" * 60_000))

    assert len(_message(history)) < 500


def test_commits_that_wait_for_different_numbers_of_writers_are_refused(history: History) -> None:
    history.write(opened(), committed(SHARED, writers=2))

    history.write(committed(SHARED, writers=3), by="bert")

    assert rejections_of(history.database) == [Reason.COMMIT_CONFLICT]
    assert "waits for 2 writers" in _message(history)


def test_every_commit_that_waits_hears_that_the_draft_was_not_sealed(history: History) -> None:
    history.write(opened(), added(SHARED, {"a": b"1"}))
    history.write(committed(SHARED, writers=1, expected_digest="lthash:0", run=RUNS[0]))
    history.write(committed(SHARED, writers=1, run=RUNS[1]), by="bert")

    _done(history, RUNS[0])

    assert rejections_of(history.database) == [Reason.DIGEST_MISMATCH] * 2
    sessions = {session for (session,) in rows_of(history.database, "SELECT session FROM rejections")}
    assert sessions == {history.writer("ada").session, history.writer("bert").session}
    history.write(committed(SHARED), by="bert")
    assert _loggers(history) == set(), "what was refused logged nothing"


def test_a_second_commit_of_a_sealed_draft_adds_what_it_gives_and_moves_no_latest(history: History) -> None:
    history.write(opened(), added(SHARED, {"a": b"1"}), committed(SHARED, description="all", run=RUNS[0]))
    history.commit(DIGITS, {"a": b"2"})

    history.write(committed(SHARED, aliases=("best",), tags=("x",), description="all", run=RUNS[1]), by="bert")

    assert rejections_of(history.database) == []
    assert aliases(history) == {"latest": 1, "best": 0}
    assert _tags(history) == {"x"}
    assert _loggers(history) == set(RUNS)


def test_a_second_commit_of_a_draft_whose_version_was_deleted_is_refused_if_it_gives_anything(
    history: History,
) -> None:
    history.write(opened(), committed(SHARED))
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))

    history.write(committed(SHARED, run=RUNS[0]))
    nothing = rejections_of(history.database)
    history.write(committed(SHARED, tags=("x",)))

    assert nothing == []
    assert rejections_of(history.database) == [Reason.VERSION_DELETED]


def test_writers_of_a_closed_draft_are_not_kept(history: History) -> None:
    history.write(opened(), added(SHARED, {"a": b"1"}), committed(SHARED, writers=1))
    before = len(rows_of(history.database, "SELECT 1 FROM draft_writers"))

    _done(history, RUNS[0])

    assert before > 0
    assert rows_of(history.database, "SELECT 1 FROM draft_writers") == []


# --- on a condition -----------------------------------------------------------------------------------------------


def test_a_commit_counts_while_latest_is_the_expected_version(history: History) -> None:
    draft, events = history.draft(DIGITS, {"a": b"1"})
    history.write(*events, VersionCommitted(collection=DIGITS, draft=draft, expect_latest=ExpectedVersion(None)))
    draft, events = history.draft(DIGITS, {"a": b"2"})
    history.write(*events, VersionCommitted(collection=DIGITS, draft=draft, expect_latest=ExpectedVersion(0)))

    assert rejections_of(history.database) == []
    assert aliases(history) == {"latest": 1}


def test_a_commit_that_lost_the_race_hears_who_came_first(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.commit(DIGITS, {"a": b"2"}, by="grace")
    draft, events = history.draft(DIGITS, {"a": b"3"})

    history.write(*events, VersionCommitted(collection=DIGITS, draft=draft, expect_latest=ExpectedVersion(0)))

    assert rejections_of(history.database) == [Reason.LATEST_MOVED]
    assert "latest version is v0, but v1 was logged by grace at 2" in _message(history)
    assert len(versions_of(history.database, DIGITS)) == 2


def test_a_field_without_a_meaning_is_refused(history: History) -> None:
    history.write(opened(), committed(SHARED, transaction=Transaction("0" * 32, 2)))

    assert rejections_of(history.database) == [Reason.INVALID]
    assert "has no meaning yet" in _message(history)


# --- imports ------------------------------------------------------------------------------------------------------


def _imported(n: int) -> Imported:
    return Imported("0" * 32, f"a/b/c:v{n}", "ada", CLOCK)


def _import(history: History, content: bytes, n: int, **given: object) -> None:
    draft, events = history.draft(DIGITS, {"a": content})
    commit: dict[str, object] = {"imported": _imported(n), **given}
    history.write(*events, VersionCommitted(collection=DIGITS, draft=draft, **commit))


def _origins(history: History, version: int) -> list[str]:
    found = version_info(history.database, DIGITS, version)
    assert found is not None
    return [origin.version for origin in found.imported]


def test_an_imported_version_says_where_it_comes_from(history: History) -> None:
    _import(history, b"1", 7)
    history.commit(DIGITS, {"a": b"2"})

    assert _origins(history, 0) == ["a/b/c:v7"]
    assert _origins(history, 1) == []


def test_content_that_is_there_keeps_its_version_and_says_where_else_it_was(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, description="ours")
    for n in (3, 4, 3):
        _import(history, b"1", n, description="theirs", rights=())

    info = version_info(history.database, DIGITS, 0)
    assert info is not None
    assert info.description == "ours"
    assert _origins(history, 0) == ["a/b/c:v3", "a/b/c:v4"]
    assert len(versions_of(history.database, DIGITS)) == 1


def test_an_import_moves_latest_only_among_imports(history: History) -> None:
    _import(history, b"1", 0)
    _import(history, b"2", 1)
    assert aliases(history) == {"latest": 1}

    history.commit(DIGITS, {"a": b"3"})
    _import(history, b"4", 2)
    assert aliases(history) == {"latest": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"store": "no id!"},
        {"version": "c:v1"},
        {"version": "a/b/c:latest"},
        {"author": "a" * 2000},
        {"time": datetime(1900, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
def test_an_origin_that_cannot_be_is_refused(history: History, wrong: dict[str, object]) -> None:
    _import(history, b"1", 0, imported=replace(_imported(0), **wrong))

    assert rejections_of(history.database) == [Reason.INVALID]


def test_a_version_of_several_writers_is_not_imported(history: History) -> None:
    history.write(opened(), committed(SHARED, imported=_imported(0)))

    assert rejections_of(history.database) == [Reason.INVALID]


# --- rights -------------------------------------------------------------------------------------------------------


def _log_again(history: History, rights: tuple[str, ...] | None) -> None:
    """Log content that v0 has, with other attributes, while v1 is the latest."""
    history.commit(DIGITS, {"a": b"1"}, description="theirs")
    history.commit(DIGITS, {"a": b"2"}, aliases=("prod",))
    draft, events = history.draft(DIGITS, {"a": b"1"})
    given = {"description": "mine", "tags": ("x",), "aliases": ("prod",), "ttl_seconds": 1}
    history.write(*events, VersionCommitted(collection=DIGITS, draft=draft, rights=rights, **given), by="bert")


def _ignored(history: History) -> list[bool]:
    sql = "SELECT attributes_ignored FROM drafts ORDER BY opened_position"
    return [bool(ignored) for (ignored,) in rows_of(history.database, sql)]


@pytest.mark.parametrize("rights", [None, (EDIT_EXISTING,), ("another", EDIT_EXISTING)], ids=str)
def test_who_may_edit_changes_a_version_that_has_the_content_already(
    history: History, rights: tuple[str, ...] | None
) -> None:
    _log_again(history, rights)

    assert attributes(history, 0) == {"description": "mine", "ttl": "1"}
    assert aliases(history) == {"latest": 0, "prod": 0}
    assert _ignored(history) == [False] * 3


@pytest.mark.parametrize("rights", [(), ("another",)], ids=str)
def test_who_may_not_edit_changes_nothing_of_it_and_the_draft_says_so(
    history: History, rights: tuple[str, ...]
) -> None:
    _log_again(history, rights)

    assert rejections_of(history.database) == []
    assert attributes(history, 0) == {"description": "theirs"}
    assert aliases(history) == {"latest": 0, "prod": 1}
    assert _tags(history) == set()
    assert _ignored(history) == [False, False, True]


def test_who_may_only_move_aliases_moves_them_to_a_version_that_has_the_content_and_leaves_its_texts(
    history: History,
) -> None:
    _log_again(history, (MOVE_ALIASES,))

    assert attributes(history, 0) == {"description": "theirs"}
    assert aliases(history) == {"latest": 0, "prod": 0}
    assert (_tags(history), _ignored(history)) == (set(), [False, False, True])


def test_a_further_commit_of_a_shared_draft_moves_aliases_for_who_may_do_only_that(history: History) -> None:
    draft, events = history.draft(DIGITS, {"a": b"1"}, draft=SHARED)
    further = {"collection": DIGITS, "draft": draft, "rights": (MOVE_ALIASES,)}
    history.write(*events, VersionCommitted(collection=DIGITS, draft=draft))

    history.write(VersionCommitted(aliases=("prod",), **further), by="bert")
    history.write(VersionCommitted(aliases=("best",), tags=("x",), **further), by="bert")

    assert rejections_of(history.database) == [Reason.NOT_PERMITTED]
    assert (aliases(history), _tags(history)) == ({"latest": 0, "prod": 0}, set())


def test_who_may_not_edit_may_describe_a_version_of_its_own(history: History) -> None:
    draft, events = history.draft(DIGITS, {"a": b"1"})
    given = {"description": "mine", "tags": ("x",), "aliases": ("best",)}

    history.write(*events, VersionCommitted(collection=DIGITS, draft=draft, rights=(), **given))

    assert (attributes(history, 0), _tags(history), _ignored(history)) == ({"description": "mine"}, {"x"}, [False])
    assert aliases(history) == {"latest": 0, "best": 0}
