"""JWTs of trusted issuers in place of tokens: who they are of, and what they give."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from headwater_schemas.errors import InvalidSettings
from headwater_server.access.issuers import read_issuers
from headwater_server.access.key_sets import AGAIN_S, FRESH_S, STALE_S, KeySet, UnknownKey
from headwater_server.http.problems import Problem

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import AUDIO, VISION
from tests.server.vouching import AUDIENCE, TestIssuer
from tests.support.serving import until
from tests.support.web import Page, Web
from tests.support.web import serving as web

PROJECT = f"/v1/projects/{VISION}"


@dataclass
class Trusting:
    """A server that trusts two issuers: one by a URL, and one by a file."""

    granted: GrantedServer
    ci: TestIssuer
    idp: TestIssuer
    keys: Web


@pytest.fixture(scope="module")
def trusting(module_path: Path) -> Iterator[Trusting]:
    ci, idp = TestIssuer("https://ci.example.com"), TestIssuer("https://idp.example.com")
    (module_path / "idp.json").write_bytes(idp.jwks())
    with web() as keys:
        url = keys.put("/jwks", Page(ci.jwks()))
        (module_path / "issuers.toml").write_text(
            f"""
            [[issuers]]
            name = "ci"
            issuer = "{ci.issuer}"
            audience = "{AUDIENCE}"
            jwks_url = "{url}"

            [[issuers.roles]]
            scope = "{VISION}"
            role = "reader"
            claims = {{ repository = "acme/vision", ref = ["main", "next"] }}

            [[issuers]]
            name = "idp"
            issuer = "{idp.issuer}"
            audience = "{AUDIENCE}"
            jwks_file = "{module_path / "idp.json"}"
            subject_claim = "email"
            algorithms = ["ES256", "EdDSA"]
            """
        )
        arguments = ("--issuers", str(module_path / "issuers.toml"), "--trusted-proxies", "127.0.0.1")
        with granting(module_path / "store", *arguments) as granted:
            yield Trusting(granted, ci, idp, keys)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_jwt_gives_what_was_granted_to_its_principal(trusting: Trusting, algorithm: str) -> None:
    token = trusting.ci.signed(algorithm, sub=f"job-{algorithm}")
    assert trusting.granted.status(PROJECT, token) == 404

    trusting.granted.operator.grant(f"ci|job-{algorithm}", "reader", VISION)

    until(lambda: trusting.granted.status(PROJECT, token) == 200)
    assert trusting.granted.status(f"/v1/projects/{AUDIO}", token) == 404


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"repository": "acme/vision", "ref": "main"}, 200),
        ({"repository": "acme/vision", "ref": ["other", "next"]}, 200),
        ({"repository": "acme/vision", "ref": "other"}, 404),
        ({"repository": "acme/vision"}, 404),
        ({"repository": "acme/vision2", "ref": "main"}, 404),
    ],
)
def test_a_jwt_gives_the_role_that_all_its_claims_are_due(
    trusting: Trusting, claims: dict[str, Any], status: int
) -> None:
    assert trusting.granted.status(PROJECT, trusting.ci.signed(**claims)) == status


def test_a_principal_is_named_by_the_claim_that_was_chosen(trusting: Trusting) -> None:
    trusting.granted.operator.grant("idp|sam@example.com", "reader", VISION)

    until(lambda: trusting.granted.status(PROJECT, trusting.idp.signed("ES256", email="sam@example.com")) == 200)
    assert trusting.granted.status(PROJECT, trusting.idp.signed("ES256", sub="sam@example.com", email="eve")) == 404


def test_clocks_may_differ_a_little(trusting: Trusting) -> None:
    now_s = int(time.time())
    token = trusting.ci.signed(exp=now_s - 5, nbf=now_s + 5, iat=now_s + 5)

    assert trusting.granted.status(PROJECT, token) == 404, "and it is somebody"


# --- the keys of an issuer ----------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_keys_are_read_again_when_they_are_old_or_one_is_not_known_and_seldom(tmp_path: Path) -> None:
    first, second, clock = TestIssuer("i"), TestIssuer("i"), Clock()
    renamed = json.loads(second.jwks().replace(b'"kid": "', b'"kid": "new-'))
    with web() as site:
        keys = KeySet(site.put("/jwks", Page(first.jwks())), clock)

        async def use() -> None:
            for _ in range(50):
                await keys.key("RS256", "RS256")
                with pytest.raises(UnknownKey):
                    await keys.key("new-RS256", "RS256")
            assert len(site.asked) == 1

            site.put("/jwks", Page(json.dumps(renamed).encode()))
            clock.now_s += AGAIN_S
            await keys.key("new-RS256", "RS256")
            with pytest.raises(UnknownKey):
                await keys.key("RS256", "RS256")
            assert len(site.asked) == 2

            clock.now_s += FRESH_S - 1
            await keys.key("new-RS256", "RS256")
            assert len(site.asked) == 2
            clock.now_s += 2
            await keys.key("new-RS256", "RS256")
            assert len(site.asked) == 3

        asyncio.run(use())


@pytest.mark.parametrize(
    "page",
    [
        Page(status=500),
        Page(status=302, location="/elsewhere"),
        Page(b"not json"),
        Page(b"[]"),
        Page(b'{"keys": 7}'),
        Page(b'{"keys": [' + b" " * 2_000_000 + b"]}"),
    ],
    ids=["error", "redirect", "no json", "a list", "no keys", "too large"],
)
def test_keys_that_cannot_be_read_leave_those_that_were_and_not_for_ever(page: Page) -> None:
    issuer, clock = TestIssuer("i"), Clock()
    with web() as site:
        site.put("/elsewhere", Page(TestIssuer("j").jwks()))
        keys = KeySet(site.put("/jwks", Page(issuer.jwks())), clock)

        async def use() -> None:
            known = await keys.key("RS256", "RS256")
            site.put("/jwks", page)
            clock.now_s += STALE_S
            assert await keys.key("RS256", "RS256") is known
            clock.now_s += 1
            with pytest.raises(Problem):
                await keys.key("RS256", "RS256")

        asyncio.run(use())


def test_a_server_whose_issuer_is_away_says_so_and_takes_tokens(tmp_path: Path) -> None:
    issuer = TestIssuer("https://away.example.com")
    (tmp_path / "issuers.toml").write_text(
        f'[[issuers]]\nname = "away"\nissuer = "{issuer.issuer}"\naudience = "{AUDIENCE}"\n'
        'jwks_url = "http://127.0.0.1:9/jwks"\n'
    )
    with granting(tmp_path / "store", "--issuers", str(tmp_path / "issuers.toml"), recorded=False) as granted:
        answer = granted.server.ask("GET", "/v1/projects", token=issuer.signed())
        assert (answer.status, answer.json["reason"]) == (503, "access-unknown")
        assert granted.status("/v1/projects", granted.token("ada", "team", "reader")) == 200


# --- configuration ------------------------------------------------------------------------------------------------

GOOD = {
    "name": '"ci"',
    "issuer": '"https://ci.example.com"',
    "audience": '"us"',
    "jwks_url": '"https://ci.example.com/jwks"',
}


def written(folder: Path, other: dict[str, str | None], more: str = "") -> str:
    lines = [f"{name} = {value}" for name, value in {**GOOD, **other}.items() if value is not None]
    (folder / "issuers.toml").write_text("\n".join(["[[issuers]]", *lines, more]))
    return str(folder / "issuers.toml")


def test_the_usual_configuration_is_read(tmp_path: Path) -> None:
    (issuer,) = read_issuers(written(tmp_path, {}))

    assert (issuer.name, issuer.subject_claim, issuer.roles) == ("ci", "sub", ())
    assert "none" not in issuer.algorithms
    assert not [name for name in issuer.algorithms if name.startswith("HS")]


ROLE = '[[issuers.roles]]\nscope = "acme"\nrole = "reader"\n'


@pytest.mark.parametrize(
    ("other", "more", "named"),
    [
        ({"name": '"headwater"'}, "", "headwater is not the name of another issuer"),
        ({"name": '"open"'}, "", "open is not the name"),
        ({"name": '"a|b"'}, "", "issuer name 'a|b'"),
        ({"name": None}, "", "issuer name must be text"),
        ({"audience": None}, "", "ci has no audience"),
        ({"issuer": '""'}, "", "ci has no issuer"),
        ({"jwks_url": None}, "", "ci has not one of jwks_url and jwks_file"),
        ({"jwks_file": '"keys.json"'}, "", "ci has not one of"),
        ({"jwks_url": '"http://ci.example.com/jwks"'}, "", "is not https"),
        ({"jwks_url": '"file:///etc/passwd"'}, "", "is not https"),
        ({"algorithms": '["HS256"]'}, "", "the algorithms of ci"),
        ({"algorithms": '["none"]'}, "", "the algorithms of ci"),
        ({"algorithms": "[]"}, "", "the algorithms of ci"),
        ({"algorithm": '"RS256"'}, "", "'algorithm', which means nothing"),
        ({}, ROLE, "a role of ci has no table of claims"),
        ({}, ROLE.replace("reader", "owner") + "claims = {}", "'owner' is not a role"),
        ({}, ROLE + 'claims = {}\nclaim = "x"', "'claim', which means nothing"),
        ({}, "[[issuers]]\n" + "\n".join(f"{name} = {value}" for name, value in GOOD.items()), "the same name"),
        ({}, "[", "issuers.toml"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(
    tmp_path: Path, other: dict[str, str | None], more: str, named: str
) -> None:
    with pytest.raises(InvalidSettings) as raised:
        read_issuers(written(tmp_path, other, more))

    assert named in str(raised.value)
    assert "issuers.toml" in str(raised.value)


def test_a_file_of_issuers_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="No such file"):
        read_issuers(str(tmp_path / "issuers.toml"))
