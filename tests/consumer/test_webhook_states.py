"""How far webhooks were told, by the operational tables: who may write what, and what an admin undoes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from headwater_consumer.operational import webhook_attempts
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.leases import Lease, release_lease, take_lease
from headwater_consumer.operational.webhook_attempts import Attempt, attempts_of
from headwater_consumer.operational.webhook_states import (
    ACTIVE,
    GONE,
    LEASE,
    Hold,
    Progress,
    WebhookState,
    begin_webhook,
    changes_of_webhooks,
    forget_webhook,
    holds_of,
    request_test,
    resume_webhook,
    save_progress,
    save_test,
    webhook_state,
)
from headwater_schemas.errors import NotFound

from tests.support.modes import open_operational

HOOK = "hook_1"
ATTEMPT = Attempt("event", "version-committed", "team/vision/net", "taken", 200, 12, "thanks")
HOLD = Hold("team/vision/net", 5, -1, is_parked=False, failures=1, since_us=10, next_us=20)


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[OperationalDatabase]:
    database = open_operational(mode, tmp_path / "store")
    yield database
    database.close()


@pytest.fixture
def lease(database: OperationalDatabase) -> Lease:
    lease = take_lease(database, LEASE)
    assert lease is not None
    return lease


def known(database: OperationalDatabase) -> WebhookState:
    state = webhook_state(database, HOOK)
    assert state is not None
    return state


def saved(database: OperationalDatabase, lease: Lease, progress: Progress) -> WebhookState | None:
    return save_progress(database, lease, known(database), progress)


@pytest.fixture
def begun(database: OperationalDatabase) -> WebhookState:
    begin_webhook(database, HOOK, "start")
    return known(database)


def test_a_webhook_begins_once(database: OperationalDatabase, begun: WebhookState) -> None:
    begin_webhook(database, HOOK, "later")

    assert known(database) == begun
    assert (begun.cursor, begun.status, begun.failures, begun.test_us) == ("start", ACTIVE, 0, None)
    assert webhook_state(database, "hook_2") is None


def test_what_is_saved_is_what_is_read_and_what_was_tried_is_logged(
    database: OperationalDatabase, begun: WebhookState, lease: Lease
) -> None:
    state = saved(database, lease, Progress("c", GONE, "why", 3, 100, 200, held=HOLD, attempt=ATTEMPT))

    assert state == known(database)
    assert (state.cursor, state.status, state.reason, state.failures) == ("c", GONE, "why", 3)
    assert holds_of(database, HOOK) == [HOLD]
    (logged,) = attempts_of(database, HOOK)
    assert logged.attempt == ATTEMPT
    saved(database, lease, Progress("d", held=replace(HOLD, failures=2, is_parked=True)))
    assert holds_of(database, HOOK) == [replace(HOLD, failures=2, is_parked=True)]
    saved(database, lease, Progress("d", released=HOLD.subject))
    assert holds_of(database, HOOK) == []


def test_who_lost_the_lease_writes_nothing(database: OperationalDatabase, begun: WebhookState, lease: Lease) -> None:
    release_lease(database, lease)
    other = take_lease(database, LEASE)
    assert other is not None

    assert saved(database, lease, Progress("c", held=HOLD, attempt=ATTEMPT)) is None
    assert known(database) == begun
    assert attempts_of(database, HOOK) == holds_of(database, HOOK) == []
    assert saved(database, other, Progress("c")) is not None


def test_a_delivery_that_began_before_an_admin_spoke_writes_nothing(
    database: OperationalDatabase, begun: WebhookState, lease: Lease
) -> None:
    resume_webhook(database, HOOK, "replayed")

    assert save_progress(database, lease, begun, Progress("c", attempt=ATTEMPT)) is None
    assert known(database).cursor == "replayed"
    assert attempts_of(database, HOOK) == []
    assert changes_of_webhooks(database) == {HOOK: 1}


def test_resuming_goes_on_where_it_was_and_tries_again_what_is_held_back(
    database: OperationalDatabase, begun: WebhookState, lease: Lease
) -> None:
    saved(database, lease, Progress("c", GONE, "why", 3, 100, 200, held=replace(HOLD, is_parked=True)))
    resume_webhook(database, HOOK)

    state, (hold,) = known(database), holds_of(database, HOOK)
    assert (state.cursor, state.status, state.reason, state.failures, state.next_us) == ("c", ACTIVE, "", 0, 0)
    assert (hold.position, hold.is_parked, hold.failures, hold.next_us) == (HOLD.position, False, 0, 0)
    resume_webhook(database, HOOK, "elsewhere")
    assert known(database).cursor == "elsewhere"
    assert holds_of(database, HOOK) == []
    with pytest.raises(NotFound, match="hook_2"):
        resume_webhook(database, "hook_2")


def test_a_test_is_asked_for_until_it_was_sent(
    database: OperationalDatabase, begun: WebhookState, lease: Lease
) -> None:
    request_test(database, HOOK)
    state = known(database)
    assert state.test_us is not None
    save_test(database, lease, state, ATTEMPT)

    assert known(database).test_us is None
    assert len(attempts_of(database, HOOK)) == 1
    with pytest.raises(NotFound, match="hook_2"):
        request_test(database, "hook_2")


def test_of_attempts_the_last_are_kept_newest_first_in_pages(
    database: OperationalDatabase, begun: WebhookState, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_attempts, "ATTEMPTS_KEPT_MAX", 20)
    for number in range(100):
        saved(database, lease, Progress("c", attempt=replace(ATTEMPT, event=f"e{number}", answer="a\0b" * 1000)))

    found = attempts_of(database, HOOK, limit=15)
    assert [one.attempt.event for one in found[:2]] == ["e99", "e98"]
    assert {len(one.attempt.answer) for one in found} == {1024}
    more = attempts_of(database, HOOK, before=found[-1].number, limit=15)
    assert [one.number for one in (*found, *more)] == list(range(100, 80, -1))


def test_what_was_forgotten_is_gone_and_others_are_not(
    database: OperationalDatabase, begun: WebhookState, lease: Lease
) -> None:
    begin_webhook(database, "hook_2", "start")
    saved(database, lease, Progress("c", held=HOLD, attempt=ATTEMPT))
    forget_webhook(database, HOOK)

    assert webhook_state(database, HOOK) is None
    assert attempts_of(database, HOOK) == holds_of(database, HOOK) == []
    assert webhook_state(database, "hook_2") is not None
