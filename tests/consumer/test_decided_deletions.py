"""Deletions that carry the state they were decided on: what came about before them in the log always wins."""

from dataclasses import replace
from typing import Any

import pytest
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    DecidedOn,
    Event,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)

from tests.consumer.events import DIGITS, PROJECT, aliases, attributes
from tests.consumer.inspection import rejections_of, rows_of
from tests.support.history import History

OF_V0: dict[str, Any] = {"collection": DIGITS, "version": 0}
STATE = DecidedOn(aliases=("best",), times_restored=0, unused=True, ttl_seconds=60, newer=1)
DELETION = VersionDeleted(**OF_V0, delete_aliases=True, decided_on=STATE)
USE = ArtifactUsed(**OF_V0, run=f"{PROJECT}/r", requested="digits:v0")


@pytest.fixture
def digits(history: History) -> History:
    """v0 is `best` and lives for a minute; v1 is the latest."""
    history.commit(DIGITS, {"a": b"1"}, aliases=["best"])
    history.write(VersionDescribed(**OF_V0, ttl_seconds=60))
    history.commit(DIGITS, {"a": b"2"})
    return history


def said_last(history: History) -> str:
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections ORDER BY position DESC LIMIT 1")
    return str(message)


def test_a_version_in_the_state_that_was_decided_on_is_deleted(digits: History) -> None:
    digits.write(DELETION)

    assert rejections_of(digits.database) == []
    assert "deleted" in attributes(digits, 0)
    assert aliases(digits) == {"latest": 1}


CHANGES: dict[str, tuple[list[Event], str]] = {
    "another alias": ([AliasMoved(collection=DIGITS, alias="prod", version=0)], "has got the alias 'prod'"),
    "latest": ([AliasMoved(collection=DIGITS, alias="latest", version=0)], "has got the alias 'latest'"),
    "a use": ([USE], "was used by a run"),
    "a longer life": ([VersionDescribed(**OF_V0, ttl_seconds=90)], "has got another time to live"),
    "a life without end": ([VersionDescribed(**OF_V0, ttl_seconds=0)], "has got another time to live"),
    "a recall": ([VersionRecalled(**OF_V0, reason="wrong labels")], "was recalled"),
    "a deletion of what was newer": (
        [VersionDeleted(collection=DIGITS, version=1, delete_aliases=True)],
        "has got the alias 'latest'",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_came_about_before_it_keeps_the_version(digits: History, change: str) -> None:
    events, says = CHANGES[change]
    digits.write(*events)

    digits.write(DELETION, by="maintenance")

    assert rejections_of(digits.database) == [Reason.STATE_CHANGED]
    assert "deleted" not in attributes(digits, 0)
    assert says in said_last(digits)


def test_a_version_that_was_restored_meanwhile_is_kept(digits: History) -> None:
    digits.write(replace(DELETION, decided_on=None), VersionRestored(**OF_V0))

    digits.write(replace(DELETION, delete_aliases=False), by="maintenance")

    assert rejections_of(digits.database) == [Reason.STATE_CHANGED]
    digits.write(replace(DELETION, decided_on=replace(STATE, times_restored=1)), by="later maintenance")
    assert "deleted" in attributes(digits, 0)


def test_a_version_that_became_one_of_the_newest_is_kept(digits: History) -> None:
    digits.commit(DIGITS, {"a": b"3"})
    digits.write(VersionDeleted(collection=DIGITS, version=1))

    digits.write(replace(DELETION, decided_on=replace(STATE, newer=2)), by="maintenance")

    assert rejections_of(digits.database) == [Reason.STATE_CHANGED]
    assert "has become one of the newest" in said_last(digits)


IRRELEVANT: dict[str, tuple[DecidedOn, list[Event]]] = {
    "uses": (replace(STATE, unused=False), [USE]),
    "the time to live": (replace(STATE, ttl_seconds=None), [VersionDescribed(**OF_V0, ttl_seconds=90)]),
    "how many are newer": (
        replace(STATE, newer=None, aliases=("best", "latest")),
        [VersionDeleted(collection=DIGITS, version=1, delete_aliases=True)],
    ),
    "an alias that left": (STATE, [AliasMoved(collection=DIGITS, alias="best", version=1)]),
    "tags and words": (STATE, [VersionDescribed(**OF_V0, description="the first", tags_added=("old",))]),
}


@pytest.mark.parametrize("what", IRRELEVANT)
def test_what_the_decision_did_not_rely_on_refuses_nothing(digits: History, what: str) -> None:
    decided_on, events = IRRELEVANT[what]
    digits.write(*events)

    digits.write(replace(DELETION, decided_on=decided_on), by="maintenance")

    assert rejections_of(digits.database) == []
    assert "deleted" in attributes(digits, 0)


def test_all_of_them_are_judged_alike_within_one_batch(history: History) -> None:
    """Rows that are not written to the database yet count, too."""
    history.commit(DIGITS, {"a": b"1"}, aliases=["best"])
    history.commit(DIGITS, {"a": b"2"})
    described, used = VersionDescribed(**OF_V0, ttl_seconds=60), USE

    history.write(described, used, DELETION, replace(DELETION, decided_on=replace(STATE, unused=False)))

    assert rejections_of(history.database) == [Reason.STATE_CHANGED]
    assert "deleted" in attributes(history, 0)
