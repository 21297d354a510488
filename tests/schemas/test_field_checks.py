"""What each text in an event may be."""

from collections.abc import Iterator
from datetime import datetime
from typing import get_type_hints

import pytest
from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import EVENT_TYPES, DraftOpened, Origin
from headwater_schemas.field_checks import CHECKED_ELSEWHERE, CHECKS, check_draft, check_fields
from headwater_schemas.limits import DISTRIBUTED_ID_LENGTH_MAX, OWN_DRAFT_ID_LENGTH_MAX

NUMBERS = (int, bool, int | None, datetime)
WITHOUT_TEXT = {"expected", "expect_latest"}  # records of numbers


def fields_with_text() -> Iterator[str]:
    """The fields of all events that hold text, as such or inside something else."""
    for record in (Origin, *EVENT_TYPES):
        yield from (name for name, hint in get_type_hints(record).items() if name != "name" and hint not in NUMBERS)


def test_every_field_that_holds_text_says_what_it_may_be() -> None:
    assert set(fields_with_text()) - WITHOUT_TEXT == CHECKS.keys() | CHECKED_ELSEWHERE


@pytest.mark.parametrize(
    "draft", ["own:" + "x" * OWN_DRAFT_ID_LENGTH_MAX, "own:A-z_0", "shared:" + "é" * DISTRIBUTED_ID_LENGTH_MAX]
)
def test_the_id_of_a_draft_comes_back_as_it_is(draft: str) -> None:
    assert check_draft(draft) == draft


@pytest.mark.parametrize(
    ("draft", "named"),
    [
        ("", "'' is not the id of a draft: it begins with neither 'own:' nor 'shared:'"),
        ("own", "'own' is not the id of a draft"),
        ("Own:a", "'Own:a' is not the id of a draft"),
        ("own:", "draft id is empty"),
        ("own:" + "x" * 65, "has 65 characters; at most 64"),
        ("own:a b", "draft id 'a b' contains ' '"),
        ("shared:", "distributed_id is empty"),
        ("shared:" + "x" * 257, "has 257 characters; at most 256"),
        ("shared:\U0001fae8", "distributed_id '.*' has .* that Unicode 14.0 does not have"),
    ],
)
def test_what_is_wrong_with_the_id_of_a_draft_is_said_with_it(draft: str, named: str) -> None:
    for check in (
        lambda: check_draft(draft),
        lambda: check_fields(DraftOpened(collection="a/b/c", draft=draft, type="t")),
    ):
        with pytest.raises(InvalidInput, match=named):
            check()
