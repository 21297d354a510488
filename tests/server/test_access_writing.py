"""Roles and tokens by JSON: what an admin gives and takes, and what nobody else does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from headwater_schemas.access import is_token, token_hash, token_id

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import AUDIO, VISION
from tests.support.serving import Answer

PATH = f"/v1/projects/{VISION}"


class Administered(GrantedServer):
    """A server with an admin of VISION."""

    admin: str

    def send(self, method: str, path: str, body: Any = None, *, token: str = "", **headers: str) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        return self.server.ask(method, path, content, token=token or self.admin, headers=headers)


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[Administered]:
    folder: Path = module_path / "administered"
    with granting(folder) as server:
        administered = Administered(server.server, server.operator, server.folder)
        administered.admin = server.token("ada", VISION, "admin")
        yield administered


def test_a_token_is_made_counts_and_is_ended(granted: Administered) -> None:
    body = {"name": "bob", "scope": VISION, "role": "reader", "expires_seconds": 3600}
    made = granted.send("POST", "/v1/tokens", body)
    assert (made.status, made.json["done"], made.headers["cache-control"]) == (201, True, "no-store")
    token = made.json["token"]
    assert is_token(token)
    assert made.json["id"] == token_id(token_hash(token))
    assert (made.json["principal"], made.json["role"]) == ("headwater|bob", "reader")
    assert granted.status(PATH, token) == 200

    ended = granted.send("DELETE", f"/v1/tokens/{made.json['id']}")
    assert (ended.status, ended.json["done"]) == (200, True)

    assert granted.status(PATH, token) == 401
    assert granted.send("DELETE", f"/v1/tokens/{made.json['id']}").status == 404


def test_each_request_makes_another_token_also_when_it_is_sent_again(granted: Administered) -> None:
    body = {"name": "cleo", "scope": VISION, "role": "reader"}
    answers = [granted.send("POST", "/v1/tokens", body, **{"Idempotency-Key": "once"}).json for _ in range(2)]

    assert answers[0]["token"] != answers[1]["token"]
    assert [granted.status(PATH, one["token"]) for one in answers] == [200, 200]


def test_a_role_is_given_replaced_and_taken(granted: Administered) -> None:
    principal, token = "headwater|dan", granted.token("dan", VISION, "reader")
    address = f"/v1/access?scope={VISION}&principal={quote(principal)}"
    assert granted.send("DELETE", address).status == 200
    assert granted.status(PATH, token) == 404

    given = granted.send("PUT", "/v1/access", {"scope": VISION, "principal": principal, "role": "writer"})

    assert (given.status, given.json["done"]) == (200, True)
    assert granted.status(PATH, token) == 200
    listed = granted.server.get(f"/v1/access?scope={VISION}", token=granted.admin)["items"]
    (dan,) = [one for one in listed if one["principal"] == principal]
    assert (dan["role"], dan["granted_by"]) == ("writer", "headwater|ada")
    assert granted.send("DELETE", address).status == 200
    assert granted.send("DELETE", address).status == 404


@pytest.mark.parametrize("scope", [AUDIO, "team", "team/nowhere", "nobody"])
def test_an_admin_of_one_project_gives_and_takes_nothing_elsewhere(granted: Administered, scope: str) -> None:
    theirs = granted.operator.create_token("eva", AUDIO, role="reader").id
    tries = [
        granted.send("PUT", "/v1/access", {"scope": scope, "principal": "headwater|ada", "role": "admin"}),
        granted.send("DELETE", f"/v1/access?scope={scope}&principal=headwater%7Ceva"),
        granted.send("POST", "/v1/tokens", {"name": "ada", "scope": scope, "role": "admin"}),
        granted.send("DELETE", f"/v1/tokens/{theirs}"),
    ]

    assert [answer.status for answer in tries] == [404] * 4


@pytest.mark.parametrize("role", ["reader", "writer", "maintainer"])
def test_who_is_no_admin_gives_and_takes_nothing(granted: Administered, role: str) -> None:
    token, theirs = granted.token(role, VISION, role), granted.operator.create_token("fay", VISION, role="reader").id
    tries = [
        granted.send(
            "PUT", "/v1/access", {"scope": VISION, "principal": f"headwater|{role}", "role": "admin"}, token=token
        ),
        granted.send("DELETE", f"/v1/access?scope={VISION}&principal=headwater%7Cada", token=token),
        granted.send("POST", "/v1/tokens", {"name": "ada", "scope": VISION}, token=token),
    ]

    assert [answer.status for answer in tries] == [403] * 3
    assert granted.send("DELETE", f"/v1/tokens/{theirs}", token=token).status == 404
    assert granted.status(f"/v1/access?scope={VISION}", granted.admin) == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/access", {"scope": VISION, "principal": "headwater|x", "role": "owner"}),
        ("PUT", "/v1/access", {"scope": VISION, "principal": "x", "role": "reader"}),
        ("PUT", "/v1/access", {"scope": "a b", "principal": "headwater|x", "role": "reader"}),
        ("PUT", "/v1/access", {"scope": VISION, "principal": "headwater|x"}),
        ("POST", "/v1/tokens", {"name": "x", "scope": VISION}),
        ("POST", "/v1/tokens", {"name": "ada", "scope": VISION, "role": "reader"}),
        ("POST", "/v1/tokens", {"name": "x", "scope": VISION, "role": "reader", "expires_seconds": 0}),
        ("POST", "/v1/tokens", {"name": "x", "scope": VISION, "role": "reader", "expires_seconds": 10**12}),
        ("POST", "/v1/tokens", {"name": "a\nb", "scope": VISION, "role": "reader"}),
        ("DELETE", "/v1/tokens/hw_nonsense", None),
        ("DELETE", f"/v1/access?scope={VISION}&principal=x", None),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    granted: Administered, method: str, path: str, body: Any
) -> None:
    before = granted.server.get(f"/v1/access?scope={VISION}", token=granted.admin)

    assert granted.send(method, path, body).status == 400

    assert granted.server.get(f"/v1/access?scope={VISION}", token=granted.admin) == before
