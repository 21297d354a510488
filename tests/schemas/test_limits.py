"""The table of limits: the page shows it, and what it says is what is checked."""

from headwater_schemas import limits

from tests.schemas.make_limits_table import PAGE, with_table


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text("utf-8")

    assert page == with_table(page), "run `python -m tests.schemas.make_limits_table`"


def test_every_limit_has_a_unit_and_a_subject_and_is_there_once() -> None:
    assert [limit for limit in limits.LIMITS if limit.most < 1 or not limit.subject or not limit.unit] == []
    assert len({(limit.subject, limit.unit) for limit in limits.LIMITS}) == len(limits.LIMITS)
