"""Who is let in by a token, and what each may see. Attackers' tries are in `tests/server/attacks`."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headwater_schemas.access import new_token, token_hash, token_id

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import AUDIO, VISION
from tests.support.serving import until

OPEN_PATHS = ("/health", "/ready", "/metrics", "/v1/openapi.json")


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    with granting(module_path / "granted") as server:
        yield server


def names(page: Any, field: str) -> list[str]:
    return [item[field] for item in page["items"]]


def project(name: str) -> str:
    return f"/v1/projects/{name}"


# --- who is let in ------------------------------------------------------------------------------------------------


def test_the_document_says_that_a_token_is_needed(granted: GrantedServer) -> None:
    document = granted.server.get("/v1/openapi.json")

    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["paths"]["/v1/projects"]["get"]["security"] == [{"token": []}]


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_what_tells_nothing_of_what_is_recorded_is_open(granted: GrantedServer, path: str) -> None:
    assert granted.status(path, None) == 200


def test_a_new_token_is_let_in_at_once_and_a_revoked_one_no_more(granted: GrantedServer) -> None:
    token = granted.token("ada", VISION, "reader")
    assert granted.status(project(VISION), token) == 200

    granted.operator.revoke_token(token_id(token_hash(token)))

    until(lambda: granted.status(project(VISION), token) == 401)


def test_an_expired_token_is_not_let_in(granted: GrantedServer) -> None:
    made = granted.operator.create_token("bob", VISION, role="reader", expires=timedelta(seconds=2))
    assert granted.status(project(VISION), made.text) == 200

    until(lambda: granted.status(project(VISION), made.text) == 401)

    assert made.expires_at is not None
    assert time.time() >= made.expires_at.timestamp()


def test_unknown_revoked_and_expired_are_one_answer(granted: GrantedServer) -> None:
    revoked = granted.token("ida", VISION, "reader")
    granted.operator.revoke_token(token_id(token_hash(revoked)))
    expired = granted.operator.create_token("ida", VISION, expires=timedelta(milliseconds=1)).text
    time.sleep(0.01)

    answers = [granted.server.ask("GET", project(VISION), token=token) for token in (revoked, expired, new_token())]

    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1


def test_a_token_is_kept_nowhere_in_the_store(granted: GrantedServer) -> None:
    token = granted.token("eve", VISION, "reader")
    assert granted.status(project(VISION), token) == 200

    files = [path for path in granted.folder.rglob("*") if path.is_file()]

    assert any("log.db" in path.name for path in files)
    assert not [path for path in files if token.encode() in path.read_bytes()]


# --- what each may see --------------------------------------------------------------------------------------------


def test_a_reader_sees_its_project_and_of_others_that_they_are_not_there(granted: GrantedServer) -> None:
    token = granted.token("rea", VISION, "reader")

    assert names(granted.server.get("/v1/projects", token=token), "project") == [VISION]
    assert names(granted.server.get("/v1/entities", token=token), "entity") == ["team"]
    assert granted.status(f"{project(VISION)}/collections/images/versions/good", token) == 200
    assert granted.status(f"{project(AUDIO)}/collections/sounds/versions/v0", token) == 404


def test_what_exists_elsewhere_is_answered_as_what_does_not_exist(granted: GrantedServer) -> None:
    token = granted.token("rae", VISION, "reader")
    rest = ("", "/collections", "/collections/sounds", "/collections/sounds/versions/v0", "/runs", "/types")

    for path in rest:
        there = granted.server.ask("GET", project(AUDIO) + path, token=token)
        nowhere = granted.server.ask("GET", project("team/nowhere") + path, token=token)
        assert (there.status, nowhere.status) == (404, 404), path
        assert there.body == nowhere.body.replace(b"team/nowhere", AUDIO.encode()), path


def test_a_role_in_an_entity_holds_in_all_its_projects(granted: GrantedServer) -> None:
    token = granted.token("tom", "team", "reader")

    assert names(granted.server.get("/v1/projects", token=token), "project") == [AUDIO, VISION]
    assert granted.status(f"{project(AUDIO)}/collections", token) == 200


def test_a_role_in_another_entity_shows_nothing(granted: GrantedServer) -> None:
    token = granted.token("zoe", "team-2", "admin")

    assert granted.server.get("/v1/projects", token=token)["items"] == []
    assert granted.server.get("/v1/entities", token=token)["items"] == []
    assert granted.status(project(VISION), token) == 404


def test_a_token_gives_only_what_is_within_its_scope(granted: GrantedServer) -> None:
    granted.operator.grant("amy", "reader", AUDIO)
    granted.operator.grant("amy", "admin", VISION)
    narrow, wide = granted.token("amy", VISION), granted.token("amy", "team")

    assert names(granted.server.get("/v1/projects", token=narrow), "project") == [VISION]
    assert granted.status(project(AUDIO), narrow) == 404
    assert names(granted.server.get("/v1/projects", token=wide), "project") == [AUDIO, VISION]


def test_a_token_of_a_project_gives_there_what_its_entity_gives(granted: GrantedServer) -> None:
    granted.operator.grant("una", "reader", "team")
    token = granted.token("una", AUDIO)

    assert names(granted.server.get("/v1/projects", token=token), "project") == [AUDIO]
    assert granted.status(project(AUDIO), token) == 200
    assert granted.status(project(VISION), token) == 404


def test_what_is_granted_counts_soon_and_what_is_revoked_no_more(granted: GrantedServer) -> None:
    token = granted.token("max", "team", "reader")
    granted.operator.revoke("max", "team")
    until(lambda: granted.status(project(VISION), token) == 404)

    granted.operator.grant("max", "reader", VISION)

    until(lambda: granted.status(project(VISION), token) == 200)
    assert granted.status(project(AUDIO), token) == 404


def test_an_open_server_asks_nobody(tmp_path: Path) -> None:
    with granting(tmp_path / "store", "--open") as server:
        assert names(server.server.get("/v1/projects"), "project") == [AUDIO, VISION]
        assert server.status(project(VISION), "any token") == 200


# --- lists for admins ---------------------------------------------------------------------------------------------


def test_an_admin_sees_who_may_do_what_and_which_tokens_there_are(granted: GrantedServer) -> None:
    scope = "list-us"
    admin = granted.token("ada", scope, "admin")
    made = granted.operator.create_token("bob", f"{scope}/a", role="reader", expires=timedelta(days=1))

    access = granted.server.get(f"/v1/access?scope={scope}", token=admin)["items"]
    tokens = granted.server.get(f"/v1/tokens?scope={scope}", token=admin)["items"]

    shown = [(one["scope"], one["principal"], one["role"]) for one in access]
    assert shown == [(scope, "headwater|ada", "admin"), (f"{scope}/a", "headwater|bob", "reader")]
    assert all("@" in one["granted_by"] and one["granted"] for one in access)
    assert [one["id"] for one in tokens] == [token_id(token_hash(admin)), made.id]
    assert (tokens[0]["expires"], tokens[1]["expires"] is None) == (None, False)
    assert admin not in str(tokens)
    assert token_hash(admin) not in str(tokens)


@pytest.mark.parametrize("what", ["access", "tokens"])
def test_lists_for_admins_come_in_pages(granted: GrantedServer, what: str) -> None:
    admin = granted.token("ada", f"pages-{what}", "admin")
    for number in range(4):
        granted.token(f"bob-{number}", f"pages-{what}/{number}", "reader")

    found, cursor = [], ""
    while cursor is not None:
        page = granted.server.get(f"/v1/{what}?scope=pages-{what}&limit=2{cursor}", token=admin)
        found += names(page, "principal")
        cursor = None if page["next"] is None else f"&cursor={page['next']}"

    assert found == ["headwater|ada", *[f"headwater|bob-{number}" for number in range(4)]]


@pytest.mark.parametrize("what", ["access", "tokens"])
def test_who_is_no_admin_of_a_scope_gets_no_list_of_it(granted: GrantedServer, what: str) -> None:
    admin, maintainer = granted.token("ada", AUDIO, "admin"), granted.token("mat", AUDIO, "maintainer")

    found = granted.server.ask("GET", f"/v1/{what}?scope={AUDIO}", token=maintainer)
    assert (found.status, found.json["reason"]) == (403, "not-permitted")
    for scope in (VISION, "team", "team/nowhere", "nobody"):
        assert granted.status(f"/v1/{what}?scope={scope}", admin) == 404
    assert granted.status(f"/v1/{what}?scope=a%20b", admin) == 400
    assert granted.status(f"/v1/{what}?scope={AUDIO}&cursor=nonsense", admin) == 400


# --- last: who was refused so often waits for each further refusal --------------------------------------------------


def test_whoever_has_no_token_is_told_so_wherever_anything_is(granted: GrantedServer) -> None:
    document = granted.server.get("/v1/openapi.json")
    operations = [
        (method.upper(), re.sub(r"\{.*?\}", "x", path))
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/v1/")
    ]
    assert ("GET", "/v1/projects") in operations

    with ThreadPoolExecutor(len(operations)) as threads:  # at once: who is refused again and again waits for each
        answers = list(threads.map(lambda one: granted.server.ask(*one), operations))

    for (method, path), answer in zip(operations, answers, strict=True):
        assert (method, path, answer.status) == (method, path, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    told = granted.server.ask("GET", "/v1/projects").json
    assert told["reason"] == "unauthenticated"
    assert "HEADWATER_TOKEN" in told["next_step"]
