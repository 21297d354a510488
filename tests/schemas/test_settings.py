"""What can be set for a whole project, within which bounds, and what holds where nothing is set."""

from typing import Any

import pytest
from headwater_schemas.errors import InvalidInput
from headwater_schemas.limits import DRAFT_IDLE_DAYS_MAX, RESTORE_DAYS_MAX, RETENTION_CHANGES_MAX, TAGS_MAX
from headwater_schemas.settings import DEFAULTS, check_settings, with_defaults


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"digest_algorithm": "xxh3"},
        {"digest_algorithm": "blake3", "draft_idle_days": 1},
        {"draft_idle_days": DRAFT_IDLE_DAYS_MAX},
        {"digest_algorithm": None, "draft_idle_days": None},
        {"restore_days": 0},
        {"restore_days": RESTORE_DAYS_MAX},
        {"protected_aliases": {"prod": True, "é": None}},
        {"protected_aliases": None},
        {"retention": {"*": {"keep_last": 5}, "images": None}},
    ],
)
def test_what_can_be_set_is_taken(patch: dict[str, Any]) -> None:
    check_settings(patch)


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ({"protected_aliases": {f"a{n}": True for n in range(TAGS_MAX + 1)}}, "at most 256 aliases"),
        ({"protected_aliases": {"prod": False}}, "protected_aliases cannot be"),
        ({"protected_aliases": {"prod": 1.5}}, "protected_aliases cannot be"),
        ({"draft_idle_days": 0}, "draft_idle_days cannot be 0"),
        ({"draft_idle_days": DRAFT_IDLE_DAYS_MAX + 1}, "draft_idle_days cannot be 36501"),
        ({"draft_idle_days": True}, "draft_idle_days cannot be True"),
        ({"draft_idle_days": 1.0}, "draft_idle_days cannot be 1.0"),
        ({"restore_days": -1}, "restore_days cannot be -1"),
        ({"restore_days": False}, "restore_days cannot be False"),
        ({"restore_days": RESTORE_DAYS_MAX + 1}, "restore_days cannot be 36501"),
        ({"draft_idle_days": "7"}, "draft_idle_days cannot be '7'"),
        ({"digest_algorithm": "md5"}, "digest_algorithm cannot be 'md5'"),
        ({"digest_algorithm": 7}, "digest_algorithm cannot be 7"),
        ({"digest_algorithm": ["xxh3"]}, "digest_algorithm cannot be"),
        ({"retention": None}, "retention cannot be None"),
        ({"retention": {"*": {"keep_last": 0}}}, "keep_last cannot be 0"),
        ({"retention": {f"a{n}": None for n in range(RETENTION_CHANGES_MAX + 1)}}, "at most 256 policies"),
        ({"unheard_of": 1}, "'unheard_of' is no setting"),
        ({"unheard_of": None}, "'unheard_of' is no setting"),
        ({"draft_idle_days": 0, "aaa": 1}, "'aaa' is no setting"),
    ],
)
def test_what_cannot_be_set_is_refused_naming_the_first(patch: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_settings(patch)

    assert named in str(refused.value)


def test_an_error_about_a_long_name_or_value_is_short() -> None:
    for patch in ({"x" * 10_000: 1}, {"digest_algorithm": "x" * 10_000}):
        with pytest.raises(InvalidInput) as refused:
            check_settings(patch)
        assert len(str(refused.value)) < 400


def test_what_is_not_set_has_its_default() -> None:
    assert DEFAULTS == {
        "digest_algorithm": "xxh3",
        "draft_idle_days": 7,
        "restore_days": 30,
        "protected_aliases": [],
    }
    assert with_defaults({}) == DEFAULTS
    assert with_defaults({"draft_idle_days": 3}) == {**DEFAULTS, "draft_idle_days": 3}
