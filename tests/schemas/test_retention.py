"""Retention policies: their rules, which of them counts for a collection, and how they are written."""

from typing import Any

import pytest
from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.limits import KEEP_LAST_MAX, KEEP_NEWER_SECONDS_MAX
from headwater_schemas.retention import RetentionPolicy, check_policies, duration, duration_text, policy_for, seconds_of
from hypothesis import given
from hypothesis import strategies as st

DAY_S = 86_400
ANY_RULES = st.fixed_dictionaries(
    {},
    optional={
        "keep_last": st.integers(1, KEEP_LAST_MAX),
        "keep_newer_than": st.integers(1, KEEP_NEWER_SECONDS_MAX).map(duration_text),
        "keep_aliased": st.just(True),
        "keep_used": st.just(True),
        "keep_all": st.just(True),
    },
).filter(bool)


@given(ANY_RULES)
def test_a_policy_is_written_as_it_is_read(rules: dict[str, Any]) -> None:
    assert RetentionPolicy.of(rules).rules == rules


def test_a_policy_is_told_to_people_in_the_words_of_its_rules() -> None:
    policy = RetentionPolicy(keep_last=5, keep_newer_than_s=90 * DAY_S, keep_aliased=True, keep_used=True)

    assert str(policy) == "keep last 5, keep newer than 90d, keep aliased, keep used"


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({}, "a policy needs a rule"),
        ({"keep_lst": 5}, "'keep_lst' is no rule of retention. Use one of: keep_last, "),
        ({"keep_last": 0}, "keep_last cannot be 0. Use a whole number of versions, 1 to 10,000"),
        ({"keep_last": True}, "keep_last cannot be True"),
        ({"keep_last": KEEP_LAST_MAX + 1}, "keep_last cannot be 10001"),
        ({"keep_newer_than": 90}, "keep_newer_than cannot be 90. Use a time such as 12h, 90d or 4w"),
        ({"keep_newer_than": "0d"}, "keep_newer_than cannot be '0d'"),
        ({"keep_newer_than": "90 days"}, "keep_newer_than cannot be '90 days'"),
        ({"keep_newer_than": "999999999999w"}, "keep_newer_than cannot be"),
        ({"keep_aliased": False}, "keep_aliased cannot be False. Use true, or leave it out"),
        ({"keep_used": 1}, "keep_used cannot be 1"),
    ],
)
def test_a_wrong_rule_is_named_with_what_is_allowed(rules: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        RetentionPolicy.of(rules)

    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["", "a/b", "team:v1", "[ab]", ".", 7])
def test_a_policy_has_the_name_of_a_collection_or_of_several(name: Any) -> None:
    check_policies({"images": None, "*": {"keep_all": True}, "a?-*": {"keep_last": 1}})
    with pytest.raises(InvalidName):
        check_policies({name: None})


LAST = {n: RetentionPolicy(keep_last=n) for n in range(1, 6)}
POLICIES = {"*": LAST[1], "im*": LAST[2], "*ages": LAST[3], "images": LAST[4], "i?????": LAST[5]}


@pytest.mark.parametrize(
    ("name", "counts"),
    [("images", "images"), ("pages", "*ages"), ("imports", "im*"), ("iguana", "i?????"), ("model", "*"), ("im", "im*")],
)
def test_of_several_policies_the_most_specific_counts(name: str, counts: str) -> None:
    assert policy_for(POLICIES, name) == (counts, POLICIES[counts])


def test_without_a_policy_that_matches_there_is_none() -> None:
    assert policy_for({"images": LAST[1], "im*": LAST[2]}, "model") is None
    assert policy_for({"a.b": LAST[1]}, "a-b") is None
    assert policy_for({"*a" * 60: LAST[1]}, "b" * 120) is None  # at once


@given(st.integers(0, 10**9))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    assert seconds_of(duration_text(seconds)) == seconds
    assert duration(f" {duration_text(seconds)}") is None
