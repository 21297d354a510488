"""Links lead back to what they were made from, whatever its name."""

import re

import pytest
from headwater_schemas.errors import InvalidInput
from headwater_schemas.links import is_link, link_to, parse_link
from hypothesis import given

from tests.support import strategies as some

VERSIONS = 10**18  # version numbers have at most 18 digits

_URI = re.compile(r"headwater://[A-Za-z0-9._~%/-]+")


@given(some.collection_names(), some.versions().filter(lambda version: version < VERSIONS), some.paths())
def test_a_link_leads_back_to_what_it_was_made_from(collection: str, version: int, path: str) -> None:
    uri = link_to(collection, version, path)

    assert is_link(uri)
    assert _URI.fullmatch(uri)
    assert parse_link(uri) == (collection, version, path)


def test_a_link_is_readable() -> None:
    assert link_to("team/animals/images", 3, "a b/ü.png") == "headwater://team/animals/images/v3/a%20b/%C3%BC.png"


@pytest.mark.parametrize("uri", ["s3://team/animals/images/v3/a", "headwater:team/animals/images/v3/a", ""])
def test_what_is_no_link_is_named(uri: str) -> None:
    assert not is_link(uri)
    with pytest.raises(InvalidInput, match="is not a link"):
        parse_link(uri)
