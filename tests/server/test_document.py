"""The OpenAPI document: a generator can make a client of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.serving import ServerProcess

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def document(recorded_server: ServerProcess) -> Any:
    return recorded_server.get("/v1/openapi.json")


def operations(document: Any) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for below in value.values():
            yield from references_in(below)
    elif isinstance(value, list):
        for below in value:
            yield from references_in(below)


def test_it_is_of_version_3_1_and_one_for_all(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    for part in ("/v1/projects", "/v1/search", "/v1/events", "/v1/diff", "/health"):
        assert part in paths
    assert any("tokens" in path for path in paths)


def test_each_operation_has_a_name_of_its_own_a_tag_and_words(document: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(document):
        assert operation["tags"], (path, method)
        assert operation["description"], (path, method)


def test_each_operation_says_what_it_answers_and_that_an_error_is_a_problem(document: Any) -> None:
    for path, method, operation in operations(document):
        responses = operation["responses"]
        assert any(status.startswith("2") for status in responses), (path, method)
        problem = responses["default"]["content"]["application/problem+json"]["schema"]
        assert problem == {"$ref": "#/components/schemas/Problem"}
        assert "422" not in responses


def test_each_reference_leads_to_a_schema(document: Any) -> None:
    wanted = set(references_in(document))
    assert wanted
    for reference in wanted:
        at: Any = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
        assert isinstance(at, dict)


def test_reads_take_a_cut_to_wait_for(document: Any) -> None:
    for path, method, operation in operations(document):
        if method == "get" and path.startswith("/v1/projects") and "/contents/" not in path:
            assert "not_before" in [one["name"] for one in operation.get("parameters", [])], path
