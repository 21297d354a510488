"""What subscribers learn: what the projector decided, in the order of the log, with what was before."""

import pytest
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    DraftDiscarded,
    Event,
    RunFinished,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)

from tests.consumer.events import DIGITS, PROJECT, SHARED, opened
from tests.consumer.inspection import rows_of
from tests.support.history import History

RUN = f"{PROJECT}/nightly"
COLUMNS = "position, record_index, kind, subject, version, before, detail"
Told = tuple[int, int, str, str, int | None, int | None, str | None]


def _told(history: History) -> list[Told]:
    """All version events, in the order of the log."""
    return rows_of(history.database, f"SELECT {COLUMNS} FROM version_events ORDER BY position, record_index")


def test_a_commit_is_told_with_its_version_and_run_and_the_aliases_that_it_moves(history: History) -> None:
    at = history.commit(DIGITS, {"a": b"1"}, run=RUN)
    other = history.commit(DIGITS, {"a": b"2"}, aliases=["best"])
    again = history.commit(DIGITS, {"a": b"1"})

    assert _told(history) == [
        (at, 0, "version-committed", DIGITS, 0, None, RUN),
        (at, 1, "alias-moved", DIGITS, 0, None, "latest"),
        (other, 0, "version-committed", DIGITS, 1, None, None),
        (other, 1, "alias-moved", DIGITS, 1, 0, "latest"),
        (other, 2, "alias-moved", DIGITS, 1, None, "best"),
        (again, 0, "version-deduplicated", DIGITS, 0, None, None),
        (again, 1, "alias-moved", DIGITS, 0, 1, "latest"),
    ]


def test_who_did_it_when_and_why_is_told(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})

    columns = "author, message, time_us, event, event_index"
    first, second = rows_of(history.database, f"SELECT {columns} FROM version_events ORDER BY record_index")
    ((author, message, created_us),) = rows_of(history.database, "SELECT author, message, created_us FROM versions")
    assert first[:3] == second[:3] == (author, message, created_us)
    assert first[3] == second[3]
    assert (first[4], second[4]) == (0, 1)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (AliasMoved(collection=DIGITS, alias="best", version=0), [("alias-moved", 0, None, "best")]),
        (AliasMoved(collection=DIGITS, alias="latest", version=None), [("alias-moved", None, 0, "latest")]),
        (AliasMoved(collection=DIGITS, alias="latest", version=0), []),
        (ArtifactUsed(collection=DIGITS, version=0, run=RUN, requested="latest"), [("artifact-used", 0, None, RUN)]),
        (VersionDescribed(collection=DIGITS, version=0, description="x"), [("version-described", 0, None, None)]),
        (VersionDescribed(collection=DIGITS, version=0), []),
        (VersionRecalled(collection=DIGITS, version=0, reason="bad"), [("version-recalled", 0, None, "bad")]),
        (VersionRestored(collection=DIGITS, version=0), []),
        (
            VersionDeleted(collection=DIGITS, version=0, delete_aliases=True),
            [("version-deleted", 0, None, None), ("alias-moved", None, 0, "latest")],
        ),
    ],
    ids=str,
)
def test_what_changes_is_told_once_and_what_changes_nothing_is_not(
    history: History, event: Event, told: list[tuple[str, int | None, int | None, str | None]]
) -> None:
    history.commit(DIGITS, {"a": b"1"})
    before = len(_told(history))

    at = history.write(event)
    history.write(event)

    rows = [(at, number, kind, DIGITS, *rest) for number, (kind, *rest) in enumerate(told)]
    assert _told(history)[before:] == rows


def test_what_is_restored_is_told_with_the_latest_that_it_becomes(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))

    at = history.write(VersionRestored(collection=DIGITS, version=0))

    assert _told(history)[-2:] == [
        (at, 0, "version-restored", DIGITS, 0, None, None),
        (at, 1, "alias-moved", DIGITS, 0, None, "latest"),
    ]


def test_shared_drafts_and_runs_are_told_from_their_begin_to_their_end(history: History) -> None:
    history.run(RUN, state=None)
    ended = history.write(RunFinished(run=RUN, state="failed"))
    begun = history.write(opened())
    history.write(opened())
    discarded = history.write(DraftDiscarded(collection=DIGITS, draft=SHARED))

    (started, *_), *rest = _told(history)
    assert started < ended
    assert rest == [
        (ended, 0, "run-finished", RUN, None, None, "failed"),
        (begun, 0, "draft-opened", DIGITS, None, None, SHARED),
        (discarded, 0, "draft-discarded", DIGITS, None, None, SHARED),
    ]
