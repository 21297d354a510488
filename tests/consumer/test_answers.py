"""What became of writes: outcomes of drafts, rejections, and how far the projection is, told together."""

from headwater_consumer import queries
from headwater_consumer.queries import SentRange
from headwater_schemas.events import AliasMoved, DraftDiscarded, VersionCommitted

from tests.support.history import History

PROJECT = "team/vision"
DIGITS = f"{PROJECT}/digits"
MISSING = queries.Outcome(None, False)
UNCOMMITTED = queries.Outcome(None, False, is_uncommitted=True)


def test_a_draft_is_open_then_a_version_or_a_deduplicated_one(history: History) -> None:
    opened, events = history.draft(DIGITS, {"a": b"1"})
    history.write(*events)
    waiting, events = history.draft(DIGITS, {"a": b"1"}, draft="shared:waiting")
    history.write(*events, VersionCommitted(collection=DIGITS, draft=waiting, writers=1))
    discarded, events = history.draft(DIGITS, {"a": b"2"})
    history.write(*events, DraftDiscarded(collection=DIGITS, draft=discarded))
    names = []
    for _ in range(2):
        name, events = history.draft(DIGITS, {"a": b"3"})
        history.write(*events, VersionCommitted(collection=DIGITS, draft=name))
        names.append((DIGITS, name))

    asked = [(DIGITS, opened), (DIGITS, waiting), (DIGITS, discarded), *names]
    found = queries.answers(history.database, drafts=[*asked, (DIGITS, "own:never")]).outcomes

    info = queries.version_info(history.database, DIGITS, 0)
    expected = [
        UNCOMMITTED, MISSING, MISSING, queries.Outcome(0, False, info=info), queries.Outcome(0, True, info=info)
    ]  # fmt: skip
    assert found == dict(zip(asked, expected, strict=True))


def test_an_outcome_tells_all_that_is_recorded_about_its_version(history: History) -> None:
    for content in (b"0", b"1"):
        draft, events = history.draft(DIGITS, {"a": content})
        attributes = {"description": content.decode(), "metadata": '{"n":1}', "ttl_seconds": 60, "run": f"{PROJECT}/r"}
        commit = VersionCommitted(
            collection=DIGITS,
            draft=draft,
            aliases=("z", "best", content.decode() + "th"),
            tags=("y", "x"),
            **attributes,
        )
        history.write(*events, commit)

    (outcome,) = queries.answers(history.database, drafts=[(DIGITS, draft)]).outcomes.values()

    assert outcome.info is not None
    assert outcome.info == queries.version_info(history.database, DIGITS, 1)
    assert (outcome.info.aliases, outcome.info.tags) == (("1th", "best", "latest", "z"), ("x", "y"))
    assert (outcome.info.description, outcome.info.ttl_seconds) == ("1", 60)


def test_answers_say_how_far_the_partitions_are_that_were_asked_about(history: History) -> None:
    end = history.commit(DIGITS, {"a": b"1"})
    log = history.log.generation

    assert queries.answers(history.database, generation=log, partitions=[0]).offsets == {0: end}
    assert queries.answers(history.database, generation=log, partitions=[0, 1]).offsets == {0: end}
    assert queries.answers(history.database, generation=log, partitions=[1]).offsets == {}
    assert queries.answers(history.database, generation="another", partitions=[0]).offsets == {}


def test_many_drafts_are_asked_for_at_once(history: History) -> None:
    drafts = []
    for _ in range(300):
        draft, events = history.draft(DIGITS)
        history.writer().write(*events)
        drafts.append((DIGITS, draft))
    history.project()

    assert queries.answers(history.database, drafts=drafts).outcomes == dict.fromkeys(drafts, UNCOMMITTED)
    assert queries.answers(history.database) == queries.Answers({}, {}, [])


def _refused_alias(history: History, *, sequence: int | None = None) -> None:
    history.write(AliasMoved(collection=DIGITS, alias="best", version=99), sequence=sequence)


def test_the_first_refusal_in_a_range_is_told(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})  # sequences 0 to 2
    _refused_alias(history)
    _refused_alias(history)
    session, key = history.writer().session, f"collection:{DIGITS}"

    found = queries.first_rejection(history.database, session, key, 0, 100)

    assert found is not None
    assert (found.session, found.key, found.sequence) == (session, key, 3)
    assert (found.event, found.reason) == ("alias-moved", "version-unknown")
    assert f"{DIGITS}:v99" in found.message
    assert queries.first_rejection(history.database, session, key, 0, 2) is None
    assert queries.first_rejection(history.database, session, f"run:{DIGITS}", 0, 100) is None


def test_an_event_that_came_too_early_counts_as_refused_until_it_applies(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})  # sequences 0 to 2
    session, key = history.writer().session, f"collection:{DIGITS}"
    third, fourth = (AliasMoved(collection=DIGITS, alias=alias, version=0) for alias in ("third", "fourth"))

    history.write(fourth, sequence=4)
    early = queries.first_rejection(history.database, session, key, 4, 4)
    history.write(third, sequence=3)
    history.write(fourth, sequence=4)

    assert early is not None
    assert early.reason == "sequence-gap"
    assert queries.first_rejection(history.database, session, key, 0, 4) is None


def test_refusals_are_asked_for_by_ranges_and_by_nothing_else(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    for _ in range(5):
        _refused_alias(history)
    session, key = history.writer().session, f"collection:{DIGITS}"
    other = history.writer("bob").session

    asked = [
        SentRange(session, key, 6, 6),
        SentRange(session, key, 0, 4),
        SentRange(other, key, 0, 9),
        SentRange(session, f"collection:{DIGITS}x", 0, 9),
    ]
    found = queries.answers(history.database, ranges=asked).rejections

    assert [rejection.sequence for rejection in found] == [3, 4, 6]


def test_refusals_in_more_ranges_than_one_statement_takes_are_all_found_once(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    for _ in range(300):
        history.writer().write(AliasMoved(collection=DIGITS, alias="best", version=99))
    history.project()
    session, key = history.writer().session, f"collection:{DIGITS}"

    each = [SentRange(session, key, sequence, sequence + 1) for sequence in range(302)]

    found = queries.answers(history.database, ranges=each).rejections
    assert [rejection.sequence for rejection in found] == list(range(3, 303))
