"""Queries with arguments of the right types and odd values: each is answered or refused; none breaks the server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from headwater_consumer.queries.query_forms import form_of
from headwater_consumer.queries.reads import all_queries
from headwater_schemas.json_codecs import INTEGER_MAX
from hypothesis import given
from hypothesis import strategies as st

from tests.server.granted import GrantedServer, granting
from tests.support import read_history
from tests.support.read_history import COLLECT, COMMIT, IMAGES, TOKEN, VISION, WEBHOOK

KNOWN = ["", "team", VISION, IMAGES, COLLECT, "latest", "v0", "shared:night", COMMIT, TOKEN[:16], WEBHOOK]
ODD = ["/", "//", "a/b/c/d/e", "collection:a/b/c", "~", "%", "'", '"; DROP TABLE runs; --', ".", "..", " "]
CHARACTERS = ["\x01", "é", "e\u0301", "\U0010ffff"]

_TEXT = st.sampled_from([*KNOWN, *ODD, *CHARACTERS]) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
)
_NUMBERS = st.sampled_from([0, 1, -1, 2**31, INTEGER_MAX, -INTEGER_MAX - 1]) | st.integers(0, 60)
_PLAIN = {str: _TEXT, int: _NUMBERS, bool: st.booleans(), bytes: st.binary(max_size=40), type(None): st.none()}


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    folder = module_path / "odd"
    read_history.record(folder)
    with granting(folder, recorded=False) as granted:
        yield granted


@pytest.fixture(scope="module")
def token(granted: GrantedServer) -> str:
    """Of who may read one project, so that every answer is filtered."""
    return granted.token("vera", VISION, "reader")


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type, as a client could pass them."""
    arguments = get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) in (Union, type(int | None)):
        return st.one_of(map(values_of, arguments))
    if get_origin(hint) is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*map(values_of, arguments))
    if isinstance(hint, type) and issubclass(hint, tuple):
        return st.builds(hint, *map(values_of, get_type_hints(hint).values()))
    return st.lists(values_of(arguments[0]), max_size=4)


@pytest.mark.parametrize("name", all_queries())
@given(data=st.data())
def test_odd_arguments_are_answered_or_refused(
    granted: GrantedServer, token: str, name: str, data: st.DataObject
) -> None:
    query = all_queries()[name]
    hints = {key: hint for key, hint in get_type_hints(query.function).items() if key not in ("database", "return")}
    given = {key: data.draw(values_of(hint), key) for key, hint in hints.items()}
    body = json.dumps(form_of(query).write_arguments(**given)).encode()

    answer = granted.server.ask("POST", f"/v1/queries/{name}", body, token=token)

    assert answer.status in (200, 400, 403, 404, 409, 503), answer.body
    if answer.status == 503:  # layers that are not there
        assert "has lost its last transactions" in answer.json["detail"]
