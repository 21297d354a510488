"""Who may run commands for the whole store: whom the server was told of, by tokens that nobody else can make."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores

from tests.cli.commands import refused
from tests.server.granted import GrantedServer, granting
from tests.server.recorded import VISION
from tests.server.vouching import TestIssuer, trusting
from tests.support.serving import until

ROUTES = ("gc", "maintain", "archive", "export", "import")
OPERATORS = ("--operator", "ops", "--operator", "robot", "--operator", "new", "--operator", "ci|runner")
ANSWER = "application/vnd.headwater.operation"


@pytest.fixture(scope="module")
def issuer() -> TestIssuer:
    return TestIssuer("https://ci.example.com")


@pytest.fixture(scope="module")
def granted(module_path: Path, issuer: TestIssuer) -> Iterator[GrantedServer]:
    with granting(module_path / "store", *OPERATORS, *trusting(module_path, issuer)) as server:
        yield server


def ran(granted: GrantedServer, token: str | None, route: str = "gc") -> int:
    """The status of a command that changes nothing."""
    answer = granted.server.ask("POST", f"/v1/operations/{route}", b'{"dry_run": true}', token=token)
    if answer.status == 200:
        assert answer.headers["content-type"] == ANSWER
        assert b'"code": 0' in answer.body
    return answer.status


def events_of(folder: Path) -> int:
    with closing(open_stores(read_settings(url=folder), create=False)) as stores:
        return sum(end + 1 for end in stores.log.ends().values())


@pytest.mark.parametrize("route", ROUTES)
def test_no_role_is_enough_and_the_refusal_says_what_is(granted: GrantedServer, route: str) -> None:
    admin = granted.token("ana", "team", "admin")

    answer = granted.server.ask("POST", f"/v1/operations/{route}", b"{}", token=admin)

    assert (answer.status, answer.json["reason"]) == (403, "forbidden")
    assert "--operator 'headwater|ana'" in answer.json["detail"]
    assert "where the server runs" in answer.json["detail"]
    assert ran(granted, None, route) == 401
    assert [granted.status("/v1/operations", token) for token in (admin, None)] == [403, 401]


def test_an_operator_needs_a_token_and_any_role(granted: GrantedServer) -> None:
    assert ran(granted, granted.token("ops", "nowhere", "reader")) == 200


def test_who_comes_with_a_jwt_is_who_its_issuer_says(granted: GrantedServer, issuer: TestIssuer) -> None:
    assert ran(granted, issuer.signed(sub="runner")) == 200
    assert ran(granted, issuer.signed(sub="walker")) == 403
    assert ran(granted, issuer.signed(sub="ops")) == 403


def test_a_revoked_token_of_an_operator_counts_no_more(granted: GrantedServer) -> None:
    token = granted.operator.create_token("ops", "nowhere", role="reader")
    assert ran(granted, token.text) == 200
    granted.operator.revoke_token(token.id)

    until(lambda: ran(granted, token.text) == 401)


@pytest.mark.parametrize("name", ["robot", "new"])
def test_an_admin_who_makes_a_token_of_an_operators_name_gets_nothing_by_it(name: str, granted: GrantedServer) -> None:
    """Neither where the operator has one in a scope of that admin's, nor where it has none yet."""
    admin = granted.token("eve", "team", "admin")
    assert ran(granted, granted.token("robot", VISION, "reader")) == 200
    body = json.dumps({"name": name, "scope": VISION, "role": "reader"}).encode()
    made = granted.server.ask("POST", "/v1/tokens", body, token=admin)
    assert made.status == 201, made

    answer = granted.server.ask("POST", "/v1/operations/gc", b"{}", token=made.json["token"])

    assert answer.status == 403
    assert "this token was made through a server" in answer.json["detail"]


def test_a_client_is_told_and_nothing_changes(
    granted: GrantedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.setenv("HEADWATER_URL", granted.server.url)
    monkeypatch.setenv("HEADWATER_TOKEN", granted.token("wil", "team", "maintainer"))
    (tmp_path / "x.zip").write_bytes(b"PK")
    before = events_of(granted.folder)

    for command in (
        ("gc",),
        ("maintain", "--yes"),
        ("archive",),
        ("export", "vision/images", "-o", "y.zip"),
        ("import", "x.zip"),
        ("copy", "--from", str(granted.folder), "--to", granted.server.url, "--project", VISION, "--into", "team/new"),
    ):
        assert "you are no operator of this server" in refused(*command), command

    assert not (tmp_path / "y.zip").exists()
    assert not (granted.folder / "blobs" / "archive").exists()
    assert events_of(granted.folder) == before


@pytest.mark.parametrize("name", ["github|me", "|", ""])
def test_an_operator_that_nobody_can_be_is_refused_at_the_start(name: str, tmp_path: Path) -> None:
    assert "--operator" in refused("server", "--url", str(tmp_path / "store"), "--port", "0", "--operator", name)
    assert not (tmp_path / "store").exists()


def test_operators_can_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_SERVER_OPERATORS", "ops robot")
    with granting(tmp_path / "store", recorded=False) as granted:
        assert [ran(granted, granted.token(name, "team", "reader")) for name in ("ops", "robot", "ana")] == [
            200,
            200,
            403,
        ]
