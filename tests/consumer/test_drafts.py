"""Drafts: who writes them, what can be asked about them, and what becomes of those that nobody goes on with."""

import pytest
from headwater_consumer import queries
from headwater_consumer.maintenance import idle_drafts as maintenance
from headwater_consumer.maintenance.idle_drafts import discard_idle_drafts
from headwater_producer.producer import Producer
from headwater_schemas.errors import Reason
from headwater_schemas.events import (
    DraftDiscarded,
    EntryAdded,
    EntryRemoved,
    Event,
    SettingsChanged,
    VersionDeleted,
    WriterDone,
    shared_draft,
)

from tests.consumer.events import DIGITS, MODEL, PROJECT, SHARED, added, committed, opened, paths, version_of
from tests.consumer.inspection import rejections_of, rows_of
from tests.support.history import History, files_of

RUN_1, RUN_2 = f"{PROJECT}/r1", f"{PROJECT}/r2"
DAY_US = 86_400_000_000


def _by(run: str, contents: dict[str, bytes]) -> EntryAdded:
    return EntryAdded(collection=DIGITS, draft=SHARED, files=files_of(PROJECT, contents), writer=run)


def _done(run: str | None = None) -> WriterDone:
    return WriterDone(collection=DIGITS, draft=SHARED, writer=run)


def _draft(history: History, draft: str = SHARED) -> queries.DraftInfo:
    info = queries.draft_info(history.database, DIGITS, draft)
    assert info is not None
    return info


def _messages(history: History) -> list[str]:
    return [message for (message,) in rows_of(history.database, "SELECT message FROM rejections ORDER BY position")]


# --- writers ------------------------------------------------------------------------------------------------------


def test_a_run_that_is_tried_again_from_another_process_is_the_same_writer(history: History) -> None:
    history.write(opened(), _by(RUN_1, {"a": b"1"}), _done(RUN_1), by="first try")
    history.write(opened(), _by(RUN_1, {"a": b"2"}), _done(RUN_1), by="second try")
    history.write(committed(SHARED, writers=2))
    waiting = _draft(history)

    history.write(_by(RUN_2, {"b": b"3"}), _done(RUN_2), by="second try")

    assert (waiting.version, waiting.writers, waiting.writers_done, waiting.waiting_for) == (None, 1, 1, 2)
    assert version_of(history, SHARED) == 0
    assert queries.contested_paths(history.database, DIGITS, 0) == []


def test_two_runs_in_one_process_are_two_writers(history: History) -> None:
    history.write(opened(), _by(RUN_1, {"a": b"1", "b": b"1"}), _by(RUN_2, {"a": b"2", "c": b"2"}))
    gone = EntryRemoved(collection=DIGITS, draft=SHARED, paths=("b",), writer=RUN_2)

    history.write(gone, _done(RUN_1), _done(RUN_2), committed(SHARED, writers=2))

    assert version_of(history, SHARED) == 0
    assert queries.contested_paths(history.database, DIGITS, 0) == ["a", "b"]
    assert queries.contested_paths(history.database, DIGITS, 0, limit=1) == ["a"]
    assert queries.contested_paths(history.database, DIGITS, 0, after="a") == ["b"]


def test_who_does_not_name_a_run_is_known_by_the_session(history: History) -> None:
    history.write(opened(), added(SHARED, {"a": b"1"}), _done(), _done())
    history.write(added(SHARED, {"a": b"2"}), _done(), by="bert")

    history.write(committed(SHARED, writers=2))

    assert version_of(history, SHARED) == 0
    assert queries.contested_paths(history.database, DIGITS, 0) == ["a"]


def test_a_writer_is_named_as_a_run(history: History) -> None:
    history.write(opened(), _by("nobody", {"a": b"1"}), _done("nobody"))

    assert rejections_of(history.database) == [Reason.INVALID] * 2


@pytest.mark.parametrize(
    "late",
    [
        opened(),
        opened(base=0),
        added(SHARED, {"late": b"1"}),
        EntryRemoved(collection=DIGITS, draft=SHARED, paths=("a",)),
        _done(RUN_2),
    ],
    ids=["opened", "opened on another base", "added", "removed", "done"],
)
def test_who_comes_after_the_seal_is_told_the_version_and_what_to_do(history: History, late: Event) -> None:
    history.write(opened(), added(SHARED, {"a": b"1"}), committed(SHARED))

    history.write(late, by="bert")

    assert rejections_of(history.database) == [Reason.DRAFT_SEALED]
    (message,) = _messages(history)
    assert "'epoch-1' of team/vision/digits was sealed as team/vision/digits:v0 before this event arrived" in message
    assert "a new distributed_id" in message


def test_a_shared_draft_seals_though_its_base_was_deleted_meanwhile(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(opened(base=0), added(SHARED, {"b": b"2"}))
    history.write(VersionDeleted(collection=DIGITS, version=0, delete_aliases=True))
    history.write(opened(base=0), added(SHARED, {"c": b"3"}), by="bert")

    history.write(committed(SHARED))

    assert paths(history, 1) == {"a", "b", "c"}
    history.write(opened(draft=shared_draft("another"), base=0))
    assert rejections_of(history.database) == [Reason.BASE_UNKNOWN]


# --- what is known of them ----------------------------------------------------------------------------------------


def test_a_draft_can_be_asked_about_before_and_after_it_is_closed(history: History) -> None:
    assert queries.draft_info(history.database, DIGITS, SHARED) is None
    history.write(opened(), added(SHARED, {"a": b"1", "b": b"2"}), committed(SHARED, writers=3))
    waiting = _draft(history)
    other = shared_draft("other")
    history.write(opened(other), DraftDiscarded(collection=DIGITS, draft=other))
    for n in range(3):
        history.write(_done(f"{PROJECT}/r{n}"))

    assert (waiting.collection, waiting.draft, waiting.type, waiting.base) == (DIGITS, SHARED, "dataset", None)
    assert (waiting.row_count, waiting.writers, waiting.writers_done, waiting.waiting_for) == (2, 1, 0, 3)
    assert (waiting.version, waiting.discarded) == (None, False)
    sealed, dropped = _draft(history), _draft(history, other)
    assert (sealed.version, sealed.discarded, sealed.waiting_for) == (0, False, None)
    assert (dropped.version, dropped.discarded, dropped.row_count) == (None, True, 0)


def test_open_drafts_are_listed_page_by_page(history: History) -> None:
    for collection in (MODEL, DIGITS, "team/other/digits"):
        for name in ("b", "a", "closed"):
            history.write(opened(shared_draft(name), collection=collection))
        history.write(DraftDiscarded(collection=collection, draft=shared_draft("closed")))

    def listed(project: str | None, **more: object) -> list[tuple[str, str]]:
        drafts = queries.open_drafts(history.database, project, **more)  # type: ignore[arg-type] # each call knows
        return [(draft.collection, draft.draft) for draft in drafts]

    a, b = shared_draft("a"), shared_draft("b")
    here = [(DIGITS, a), (DIGITS, b), (MODEL, a), (MODEL, b)]
    assert listed(PROJECT) == here
    assert listed(None) == [("team/other/digits", a), ("team/other/digits", b), *here]
    assert listed(PROJECT, collection=MODEL) == here[2:]
    assert listed(PROJECT, limit=3) == here[:3]
    assert listed(PROJECT, after=(DIGITS, a)) == here[1:]
    assert listed(None, after=(DIGITS, b)) == here[2:]


# --- idle ones ----------------------------------------------------------------------------------------------------


def _discard(history: History, now_us: int, project: str | None = None) -> list[str]:
    producer = Producer(history.log, author="maintenance")
    sent = discard_idle_drafts(history.database, producer, now_us=now_us, project=project)
    producer.confirm()
    history.project()
    return [draft.draft for draft in sent]


def _open(history: History) -> list[str]:
    return [draft.draft for draft in queries.open_drafts(history.database, None)]


def test_a_draft_that_nobody_touched_for_a_week_is_discarded(history: History) -> None:
    own, events = history.draft(DIGITS, {"a": b"1"})
    history.write(*events, opened(), committed(SHARED, writers=2))
    last_event_us = max(draft.last_event_us for draft in queries.open_drafts(history.database, None))

    early = _discard(history, last_event_us + 7 * DAY_US - 1_000_000)
    elsewhere = _discard(history, last_event_us + 7 * DAY_US, "team/other")
    late = _discard(history, last_event_us + 7 * DAY_US)

    assert (early, elsewhere, sorted(late)) == ([], [], sorted([own, SHARED]))
    assert _open(history) == []
    assert rejections_of(history.database) == []


def test_a_project_says_itself_how_long_a_draft_may_lie(history: History) -> None:
    history.write(opened(), opened(collection="team/other/digits"))
    history.write(SettingsChanged(project=PROJECT, settings='{"draft_idle_days":2}'))

    _discard(history, _draft(history).last_event_us + 3 * DAY_US)

    assert [draft.collection for draft in queries.open_drafts(history.database, None)] == ["team/other/digits"]


def test_who_touches_a_draft_meanwhile_keeps_it(history: History) -> None:
    history.write(opened())
    producer = Producer(history.log, author="maintenance")
    last_event_us = _draft(history).last_event_us
    (sent,) = discard_idle_drafts(history.database, producer, now_us=last_event_us + 7 * DAY_US)

    history.write(opened(), by="bert")
    producer.confirm()
    history.project()

    assert _draft(history).last_event_us > sent.last_event_us
    assert rejections_of(history.database) == [Reason.DRAFT_TOUCHED]
    assert "'epoch-1' of team/vision/digits" in _messages(history)[0]
    assert _open(history) == [SHARED]


def test_discarding_goes_page_by_page_up_to_a_bound(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.write(*[opened(shared_draft(f"{n}")) for n in range(7)])
    monkeypatch.setattr(maintenance, "DRAFTS_PER_PAGE", 2)
    monkeypatch.setattr(maintenance, "DISCARDED_MAX", 5)

    first, second, third = [_discard(history, 2**60) for _ in range(3)]

    assert (len(first), len(second), len(third)) == (5, 2, 0)
    assert _open(history) == []
