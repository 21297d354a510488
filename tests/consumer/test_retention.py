"""What retention would delete of a project: each rule, and what stops it."""

from collections.abc import Mapping

import pytest
from headwater_consumer import queries
from headwater_consumer.queries.reads import DirectReads
from headwater_consumer.retention.planning import ASKED_MIN, CollectionPlan, plans, retention_status_of
from headwater_consumer.retention.status import RESTORED_KEPT_DAYS, RetentionStatus
from headwater_schemas import metadata
from headwater_schemas.entries import Reference
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    DecidedOn,
    SettingsChanged,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)
from headwater_schemas.links import link_to
from headwater_schemas.retention import RetentionPolicy
from headwater_schemas.settings import protection

from tests.consumer.events import DIGITS, MODEL, PROJECT
from tests.consumer.inspection import rows_of
from tests.support.history import History

VERSIONS = 5
DAY_S = 86_400
DAY_US = DAY_S * 1_000_000
LAST_TWO = RetentionPolicy(keep_last=2)
Policies = Mapping[str, RetentionPolicy]


@pytest.fixture
def digits(history: History) -> History:
    """v0 to v4, all logged now; v4 is the latest."""
    for n in range(VERSIONS):
        history.commit(DIGITS, {"a": b"%d" % n})
    return history


def now_us(history: History, days: float = 0) -> int:
    ((last,),) = rows_of(history.database, "SELECT max(time_us) FROM version_events")
    return int(last + days * DAY_US)


def planned(
    history: History, policies: Policies | None = None, *, days: float = 0, room: int = 100
) -> list[CollectionPlan]:
    reads = DirectReads(history.database)
    return list(plans(reads, PROJECT, now_us=now_us(history, days), policies=policies, room=room))


def due(history: History, *policies: RetentionPolicy, days: float = 0) -> dict[int, str]:
    """The versions of DIGITS that go, and by which rule, if this is the project's policy."""
    found = planned(history, {"*": policies[0]} if policies else {}, days=days)
    return {one.version: one.rule for plan in found if plan.collection == DIGITS for one in plan.deletions}


def held(history: History, policy: RetentionPolicy) -> dict[int, str]:
    return {version: why for plan in planned(history, {"*": policy}) for version, why in plan.held}


def restore(history: History, version: int) -> None:
    history.write(
        VersionDeleted(collection=DIGITS, version=version), VersionRestored(collection=DIGITS, version=version)
    )


def test_without_a_policy_everything_stays(digits: History) -> None:
    assert planned(digits, days=10_000) == []


def test_keep_last_keeps_the_newest_live_versions(digits: History) -> None:
    digits.write(VersionDeleted(collection=DIGITS, version=3))

    assert due(digits, LAST_TWO) == {0: "not among the newest 2", 1: "not among the newest 2"}
    assert due(digits, RetentionPolicy(keep_last=VERSIONS)) == {}


def test_keep_newer_than_keeps_what_is_younger(digits: History) -> None:
    policy = RetentionPolicy(keep_newer_than_s=90 * DAY_S)

    assert due(digits, policy, days=89) == {}
    assert due(digits, policy, days=91) == dict.fromkeys(range(VERSIONS - 1), "older than 90d")  # not the latest


def test_keep_aliased_keeps_what_has_an_alias(digits: History) -> None:
    digits.write(AliasMoved(collection=DIGITS, alias="prod", version=1))

    assert due(digits, RetentionPolicy(keep_aliased=True)) == dict.fromkeys((0, 2, 3), "without an alias")
    assert 1 in due(digits, LAST_TWO)  # its clear meaning


def test_keep_used_keeps_what_a_run_used_or_a_version_refers_to(digits: History) -> None:
    digits.write(ArtifactUsed(collection=DIGITS, version=1, run=f"{PROJECT}/r", requested="digits:v1"))
    for version, is_deleted in ((2, False), (3, True)):
        reference = Reference("a", link_to(DIGITS, version, "a"))
        digits.commit(MODEL, {"weights": b"%d" % version}, type="model", references=[reference])
        if is_deleted:
            digits.write(VersionDeleted(collection=MODEL, version=1, delete_aliases=True))

    assert due(digits, RetentionPolicy(keep_used=True)) == dict.fromkeys((0, 3), "not used")


def test_a_version_goes_only_if_no_rule_keeps_it(digits: History) -> None:
    digits.write(AliasMoved(collection=DIGITS, alias="prod", version=0))
    policy = RetentionPolicy(keep_last=2, keep_newer_than_s=DAY_S, keep_aliased=True, keep_used=True)

    assert due(digits, policy) == {}
    why = "not among the newest 2, older than 1d, without an alias, not used"
    assert due(digits, policy, days=2) == {1: why, 2: why}


def test_keep_all_is_an_exception_from_the_policy_of_the_project(digits: History) -> None:
    assert planned(digits, {"*": LAST_TWO, "dig*": RetentionPolicy(keep_all=True)}) == []


def test_the_policy_of_a_collection_replaces_that_of_the_project_as_a_whole(digits: History) -> None:
    digits.write(AliasMoved(collection=DIGITS, alias="prod", version=0))
    policies = {"*": RetentionPolicy(keep_last=5), "digits": RetentionPolicy(keep_aliased=True)}

    (plan,) = planned(digits, policies)
    assert [one.version for one in plan.deletions] == [1, 2, 3]


def test_the_policies_on_the_log_count(digits: History) -> None:
    rules = metadata.encode({"retention": {"*": LAST_TWO.rules}})
    digits.write(SettingsChanged(project=PROJECT, settings=rules))

    (plan,) = planned(digits)
    assert [one.version for one in plan.deletions] == [0, 1, 2]


def test_the_version_that_latest_points_to_is_kept_though_others_are_newer(digits: History) -> None:
    digits.write(AliasMoved(collection=DIGITS, alias="latest", version=1))

    assert sorted(due(digits, LAST_TWO)) == [0, 2]


def test_a_time_to_live_ends_whatever_a_policy_keeps(digits: History) -> None:
    digits.write(VersionDescribed(collection=DIGITS, version=4, ttl_seconds=30 * DAY_S))

    assert due(digits, days=29) == {}
    assert due(digits, days=31) == {4: "its time to live of 30d is over"}
    assert due(digits, RetentionPolicy(keep_all=True), days=31) == {4: "its time to live of 30d is over"}


def test_what_was_restored_begins_anew_and_no_policy_deletes_it_for_some_days(digits: History) -> None:
    digits.write(VersionDescribed(collection=DIGITS, version=0, ttl_seconds=30 * DAY_S))
    restore(digits, 0)
    restore(digits, 1)

    assert sorted(due(digits, LAST_TWO, days=RESTORED_KEPT_DAYS - 1)) == [2]
    assert sorted(due(digits, LAST_TWO, days=RESTORED_KEPT_DAYS + 1)) == [0, 1, 2]
    (plan,) = planned(digits, {}, days=31)
    assert [one.decided_on for one in plan.deletions] == [DecidedOn(times_restored=1, ttl_seconds=30 * DAY_S)]


def test_a_protected_alias_and_a_recall_stop_policies_and_times_to_live_and_say_so(digits: History) -> None:
    digits.write(
        AliasMoved(collection=DIGITS, alias="prod", version=0),
        VersionRecalled(collection=DIGITS, version=1, reason="wrong labels"),
        VersionDescribed(collection=DIGITS, version=0, ttl_seconds=1),
        VersionDescribed(collection=DIGITS, version=1, ttl_seconds=1),
        SettingsChanged(project=PROJECT, settings=metadata.encode(protection(["prod"]))),
    )

    assert held(digits, LAST_TWO) == {0: "alias prod is protected", 1: "it was recalled"}
    assert due(digits, LAST_TWO, days=1) == {2: "not among the newest 2"}


def test_a_decision_says_what_it_relied_on(digits: History) -> None:
    digits.write(AliasMoved(collection=DIGITS, alias="old", version=0))

    (plan,) = planned(digits, {"*": RetentionPolicy(keep_last=4, keep_used=True)})
    (deletion,) = plan.deletions
    assert deletion.decided_on == DecidedOn(aliases=("old",), unused=True, newer=4)


def test_the_oldest_go_first_where_there_is_no_room_for_all(digits: History) -> None:
    for n in range(VERSIONS):
        digits.commit(MODEL, {"weights": b"%d" % n}, type="model")

    first, second = planned(digits, {"*": LAST_TWO}, room=4)
    assert [one.version for one in first.deletions] == [0, 1, 2]
    assert ([one.version for one in second.deletions], second.due) == ([0], 3)


def test_the_bytes_are_those_that_nothing_else_has(digits: History) -> None:
    digits.commit(MODEL, {"copy": b"0"}, type="model")

    (plan,) = planned(digits, {"digits": LAST_TWO})
    assert plan.size_bytes == 2  # v1 and v2; the content of v0 is also that of another


def test_a_policy_asks_before_it_deletes_most_of_many_versions(history: History) -> None:
    def asks(versions: int, keep: int) -> bool:
        (plan,) = planned(history, {"*": RetentionPolicy(keep_last=keep)})
        assert plan.live == versions
        return plan.needs_asking

    for n in range(ASKED_MIN):
        history.commit(DIGITS, {"a": b"%d" % n})
    assert not asks(ASKED_MIN, 1)  # a handful
    history.commit(DIGITS, {"a": b"another"})
    assert asks(ASKED_MIN + 1, 1)
    for n in range(ASKED_MIN - 1):
        history.commit(DIGITS, {"a": b"more %d" % n})
    assert not asks(2 * ASKED_MIN, ASKED_MIN)
    assert asks(2 * ASKED_MIN, ASKED_MIN - 1)


def test_times_to_live_never_ask(history: History) -> None:
    for n in range(2 * ASKED_MIN):
        history.commit(DIGITS, {"a": b"%d" % n}, ttl_seconds=1)

    (plan,) = planned(history, {"*": RetentionPolicy(keep_last=1)}, days=1)
    assert (plan.due, plan.needs_asking) == (2 * ASKED_MIN, False)


STANDINGS: dict[str, tuple[str | None, int, tuple[str | None, str | None, tuple[str, ...]]]] = {
    # policy, days from now → due, expires by, kept
    "nothing": (None, 0, (None, None, ())),
    "the newest": ('{"keep_last":5}', 0, (None, None, ("among the newest 5",))),
    "young": ('{"keep_last":1,"keep_newer_than":"9d"}', 0, (None, "by the policy of the project", ("newer than 9d",))),
    "old": ('{"keep_newer_than":"9d"}', 10, ("older than 9d", "by the policy of the project", ())),
}


@pytest.mark.parametrize("case", STANDINGS)
def test_a_version_knows_when_it_goes_and_by_what(digits: History, case: str) -> None:
    rules, days, expected = STANDINGS[case]
    if rules is not None:
        digits.write(SettingsChanged(project=PROJECT, settings=f'{{"retention":{{"*":{rules}}}}}'))

    stands = standing(digits, 1, days)
    assert (stands.due, stands.expires_by, stands.kept) == expected


def test_a_time_to_live_that_ends_before_the_policy_keeps_is_what_counts(digits: History) -> None:
    digits.write(
        VersionDescribed(collection=DIGITS, version=1, ttl_seconds=DAY_S),
        SettingsChanged(project=PROJECT, settings='{"retention":{"*":{"keep_newer_than":"9d"}}}'),
    )
    info = queries.version_info(digits.database, DIGITS, 1)
    assert info is not None

    stands = standing(digits, 1, 0)
    assert (stands.expires_by, stands.expires_us) == ("by its time to live", info.created_us + DAY_US)
    assert standing(digits, 1, 2).due == "its time to live of 1d is over"


def standing(history: History, version: int, days: float) -> RetentionStatus:
    info = queries.version_info(history.database, DIGITS, version)
    assert info is not None
    return retention_status_of(DirectReads(history.database), info, now_us=now_us(history, days))


def test_pages_of_versions_leave_nothing_out(digits: History, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(due(digits, LAST_TWO))

    monkeypatch.setattr("headwater_consumer.retention.planning.ROWS_PER_PAGE", 2)
    assert list(due(digits, LAST_TWO)) == expected == [0, 1, 2]
