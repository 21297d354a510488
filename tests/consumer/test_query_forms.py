"""The JSON of queries: what every query of the port can be asked over HTTP."""

import pytest
from headwater_consumer.queries.query_forms import form_of
from headwater_consumer.queries.reads import Reads, all_queries
from headwater_schemas.errors import InvalidInput

_VERSION = form_of(all_queries()["version_info"])


@pytest.mark.parametrize("name", all_queries())
def test_every_query_of_the_port_has_a_form(name: str) -> None:
    assert form_of(all_queries()[name]).result.kinds


def test_arguments_are_sent_by_name_however_they_were_given() -> None:
    assert _VERSION.write_arguments("e/p/n", version=3) == {"collection": "e/p/n", "version": 3}


def test_what_was_left_out_is_read_as_its_default() -> None:
    read = _VERSION.read_arguments({"collection": "e/p/n", "version": 3})
    assert read == {"collection": "e/p/n", "version": 3, "at": None}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([], "the arguments of version_info are an object by name"),
        ({"collection": "e/p/n"}, "version_info needs the argument version"),
        ({"collection": "e/p/n", "version": 3, "at_": 1}, "version_info has no argument 'at_'. It takes: collection,"),
        ({"collection": "e/p/n", "version": "3"}, "version is '3' instead of a number"),
    ],
)
def test_arguments_that_the_query_does_not_take_are_refused(sent: object, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        _VERSION.read_arguments(sent)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize("name", [name for name, one in vars(Reads).items() if hasattr(one, "last_path")])
def test_every_query_in_pages_can_go_on_beyond_a_path(name: str) -> None:
    form = form_of(all_queries()[name])
    sent = {"layers": [1], "after": "a"} if name != "diff_layers" else {"before": [1], "now": [2], "after": "a"}
    assert form.read_arguments(sent)["after"] == "a"
