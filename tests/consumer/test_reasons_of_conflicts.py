"""Why a path cannot join a draft: it would be a file and a folder at once, or it looks like another one to a reader."""

from collections.abc import Iterator

import pytest
from headwater_schemas.entries import Reference
from headwater_schemas.errors import Reason
from headwater_schemas.events import EntryAdded

from tests.consumer.events import DIGITS, SHARED, added, opened
from tests.consumer.inspection import Databases, rejections_of, rows_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"
BOTH_AT_ONCE, ALIKE = "would be a file and a folder at once", "look the same to a reader"

CONFLICTS = {
    "a file above": ("a", "a/b", BOTH_AT_ONCE),
    "a file far above": ("a", "a/b/c/d", BOTH_AT_ONCE),
    "a file below": ("a/b", "a", BOTH_AT_ONCE),
    "a file far below": ("a/b/c/d", "a", BOTH_AT_ONCE),
    "another spelling": (COMPOSED, DECOMPOSED, ALIKE),
    "the other way round": (DECOMPOSED, COMPOSED, ALIKE),
    "another spelling of the folder": (f"{COMPOSED}/x", f"{DECOMPOSED}/y", ALIKE),
    "a file in the spelling of a folder": (f"{COMPOSED}/x", DECOMPOSED, ALIKE),
    "a folder in the spelling of a file": (COMPOSED, f"{DECOMPOSED}/x", ALIKE),
    "a name that begins with the other": (f"{DECOMPOSED}s", f"{COMPOSED}s", ALIKE),
}


@pytest.fixture
def history(databases: Databases) -> Iterator[History]:
    """On a log in memory, since only the database matters here."""
    with databases.empty() as database:
        yield History(MemoryLog(), database)


def _refusal(history: History) -> str:
    assert rejections_of(history.database) == [Reason.PATH_CONFLICT]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    return str(message)


@pytest.mark.parametrize(("before", "then", "why"), CONFLICTS.values(), ids=CONFLICTS.keys())
def test_what_cannot_join_a_draft_is_told_the_right_reason(history: History, before: str, then: str, why: str) -> None:
    history.write(opened(), added(SHARED, {before: b"1"}))

    history.write(added(SHARED, {then: b"2"}), by="bert")

    message = _refusal(history)
    assert why in message
    assert {BOTH_AT_ONCE: ALIKE, ALIKE: BOTH_AT_ONCE}[why] not in message
    if why == BOTH_AT_ONCE:
        assert f"{min(before, then)!r} {why}" in message, "the one that would be both is the shorter"


@pytest.mark.parametrize(("before", "then", "why"), CONFLICTS.values(), ids=CONFLICTS.keys())
@pytest.mark.parametrize("swapped", [False, True])
def test_what_cannot_be_together_in_one_event_is_told_the_right_reason(
    history: History, before: str, then: str, why: str, swapped: bool
) -> None:
    first, second = (then, before) if swapped else (before, then)
    history.write(opened())

    history.write(added(SHARED, {first: b"1", second: b"2", "z": b"3"}), by="bert")

    message = _refusal(history)
    assert why in message
    assert {BOTH_AT_ONCE: ALIKE, ALIKE: BOTH_AT_ONCE}[why] not in message


def test_of_several_that_would_be_both_the_first_by_name_is_named(history: History) -> None:
    history.write(opened())

    history.write(added(SHARED, {"m": b"1", "m/x": b"2", "d/e": b"3", "d/e/f": b"4"}), by="bert")

    assert f"'d/e' {BOTH_AT_ONCE}" in _refusal(history)


@pytest.mark.parametrize("paths", [("a", "a-b"), ("a/b", "a-b/c"), ("a", "ab/c"), ("a/b", "a/b.c/d"), ("a0", "a/b")])
def test_what_only_begins_alike_is_in_nobodys_way(history: History, paths: tuple[str, str]) -> None:
    history.write(opened(), added(SHARED, {paths[0]: b"1"}))

    history.write(added(SHARED, {paths[1]: b"2"}), by="bert")
    history.write(added(SHARED, {f"n/{path}": b"3" for path in paths}), by="bert")

    assert rejections_of(history.database) == []


def test_a_path_twice_in_one_event_is_no_conflict_but_wrong(history: History) -> None:
    history.write(opened())

    twice = added(SHARED, {"a": b"1"})
    event = EntryAdded(collection=DIGITS, draft=SHARED, files=twice.files, references=(Reference("a", "s3://b/a"),))
    history.write(event, by="bert")

    assert rejections_of(history.database) == [Reason.INVALID]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    assert "twice. Send each path once" in message
