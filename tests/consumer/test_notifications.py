"""What subscribers are told: one notification an event, numbered from 0, with what the event changed."""

import json

from headwater_schemas.events import (
    AliasMoved,
    DraftDiscarded,
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


def _notifications(history: History) -> list[tuple[int, int, str, str, dict[str, object]]]:
    """(position, record index, kind, subject, body) of all, in the order of the log."""
    rows = rows_of(
        history.database,
        "SELECT position, record_index, kind, subject, body FROM outbox ORDER BY position, record_index",
    )
    return [(position, index, kind, subject, json.loads(body)) for position, index, kind, subject, body in rows]


def test_a_commit_is_announced_with_its_version_digest_draft_and_run(history: History) -> None:
    at = history.commit(DIGITS, {"a": b"1"}, run=RUN)
    again = history.commit(DIGITS, {"a": b"1"})

    ((digest,),) = rows_of(history.database, "SELECT digest FROM versions")
    body = {"version": 0, "digest": digest, "draft": "own:draft-0", "run": RUN, "deduplicated": False}
    assert _notifications(history) == [
        (at, 0, "version-committed", DIGITS, body),
        (again, 0, "version-committed", DIGITS, {**body, "draft": "own:draft-1", "run": None, "deduplicated": True}),
    ]


def test_every_event_that_subscribers_hear_of_is_announced_once(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    told = {
        AliasMoved(collection=DIGITS, alias="best", version=0): {"alias": "best", "version": 0},
        AliasMoved(collection=DIGITS, alias="best", version=None): {"alias": "best", "version": None},
        VersionDescribed(collection=DIGITS, version=0, description="first"): {"version": 0},
        VersionRecalled(collection=DIGITS, version=0, reason="bad"): {"version": 0, "reason": "bad"},
        VersionDeleted(collection=DIGITS, version=0, delete_aliases=True): {"version": 0},
        VersionRestored(collection=DIGITS, version=0): {"version": 0},
    }

    for event, body in told.items():
        at = history.write(event)
        assert _notifications(history)[-1] == (at, 0, event.name, DIGITS, body)

    assert len(_notifications(history)) == 1 + len(told)


def test_the_end_of_a_run_and_of_a_draft_is_announced(history: History) -> None:
    history.run(RUN, state=None)
    ended = history.write(RunFinished(run=RUN, state="failed"))
    history.write(opened())
    discarded = history.write(DraftDiscarded(collection=DIGITS, draft=SHARED))

    assert _notifications(history) == [
        (ended, 0, "run-finished", RUN, {"state": "failed"}),
        (discarded, 0, "draft-discarded", DIGITS, {"draft": SHARED}),
    ]
