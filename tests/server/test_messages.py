"""What errors over HTTP say to people: what was wrong, by the name that the request gave it, and what to do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import VISION
from tests.support.serving import ServerProcess

P = f"/v1/projects/{VISION}"
IMAGES = f"{P}/collections/images"


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    with granting(module_path / "messages") as granted:
        yield granted


def problem(server: ServerProcess, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
    answer = server.ask(method, path, None if body is None else json.dumps(body).encode(), token=token)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (f"{P}/collections?limits=3", "there is no parameter 'limits'. Give only cursor, limit, not_before, type."),
        ("/v1/me?verbose=1", "there is no parameter 'verbose'. Give none here."),
        (f"{P}/collections?limit=3&limit=4&x&y", "there is no parameter 'x'"),
        ("/v1/events?kinds=alias-moved", "there is no parameter 'kinds'"),
        ("/v1/search?metadata=rows", "metadata 'rows' has no value to search for. Write KEY=VALUE."),
        (f"{IMAGES}/versions/v0/files/no/cat.txt", "there is no 'no/cat.txt' in team/vision/images:v0"),
        ("/v1/events?after=2026-01-31T12:00:00", "has no zone. Give one, as in 2026-01-31T12:00:00Z."),
    ],
)
def test_a_read_that_cannot_be_names_what_is_wrong(recorded_server: ServerProcess, path: str, says: str) -> None:
    found = problem(recorded_server, "GET", path)

    assert says in found["detail"]
    assert found["thing"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        (f"{P}/runs", [1], "body: it must be a JSON object."),
        (f"{IMAGES}/versions", {"type": "dataset", "files": [{"path": "a", "base64": "?"}]}, "the base64 of 'a'"),
        (
            f"{IMAGES}/versions",
            {"type": "dataset", "files": [{"path": "a", "upload": {"digest": "x", "size": 1, "receipt": "?"}}]},
            "the receipt of 'a' is not base 64",
        ),
    ],
)
def test_a_body_that_cannot_be_names_the_field(recorded_server: ServerProcess, path: str, body: Any, says: str) -> None:
    assert says in problem(recorded_server, "POST", path, body)["detail"]


def test_who_has_no_token_is_told_of_the_header_and_of_the_path(granted: GrantedServer) -> None:
    found = problem(granted.server, "GET", "/v1/projects")

    assert '"Authorization: Bearer TOKEN"' in found["next_step"]
    assert found["thing"] == "/v1/projects"


def test_who_may_not_write_is_told_what_needs_which_role(granted: GrantedServer) -> None:
    token = granted.token("rita", VISION, "reader")
    path = f"{IMAGES}/aliases/prod"
    found = problem(granted.server, "PUT", path, {"version": "v0"}, token)

    assert (found["status"], found["thing"]) == (403, path)
    assert f"moving an alias needs the role writer in {VISION}" in found["detail"]


def test_a_rule_that_was_broken_is_told_with_the_path(granted: GrantedServer) -> None:
    token = granted.token("wim", VISION, "maintainer")
    path = f"{IMAGES}/aliases/prod"
    found = problem(granted.server, "PUT", path, {"version": "v0", "expect": "v7"}, token)

    assert (found["status"], found["thing"]) == (409, path)
