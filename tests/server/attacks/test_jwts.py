"""JWTs that nobody vouched for: without a signature, with another's, for others, and out of time."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt.api_jws import encode

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import VISION
from tests.server.vouching import AUDIENCE, TestIssuer, forged
from tests.support.web import Page, Web
from tests.support.web import serving as web

PROJECT = f"/v1/projects/{VISION}"


@dataclass
class Attacked:
    """A server that trusts one issuer, whose "sam" may read the project; and another one."""

    granted: GrantedServer
    issuer: TestIssuer
    other: TestIssuer
    keys: Web
    tried: int = 0

    def status(self, token: str) -> int:
        """From an address that was never seen, so that no try is slowed."""
        self.tried += 1
        headers = {"X-Forwarded-For": f"203.{self.tried // 200}.{self.tried % 200}.1"}
        return self.granted.server.ask("GET", PROJECT, token=token, headers=headers).status


@pytest.fixture(scope="module")
def attacked(module_path: Path) -> Iterator[Attacked]:
    issuer, other = TestIssuer("https://ci.example.com"), TestIssuer("https://other.example.com")
    with web() as keys:
        urls = [keys.put(f"/{one.issuer[8:10]}", Page(one.jwks())) for one in (issuer, other)]
        tables = [
            f'[[issuers]]\nname = "{name}"\nissuer = "{one.issuer}"\naudience = "{AUDIENCE}"\njwks_url = "{url}"\n'
            for name, one, url in zip(("ci", "other"), (issuer, other), urls, strict=True)
        ]
        (module_path / "issuers.toml").write_text("\n".join(tables))
        arguments = ("--issuers", str(module_path / "issuers.toml"), "--trusted-proxies", "127.0.0.1")
        with granting(module_path / "store", *arguments) as granted:
            granted.operator.grant("ci|sam", "reader", VISION)
            granted.operator.grant("ana", "admin", VISION)
            yield Attacked(granted, issuer, other, keys)


@pytest.fixture(autouse=True)
def sam_is_let_in(attacked: Attacked) -> None:
    """Whatever is refused here is refused for what is wrong with it."""
    assert attacked.status(attacked.issuer.signed()) == 200


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None])
def test_a_jwt_without_a_signature_is_nothing(attacked: Attacked, algorithm: str | None) -> None:
    token = forged({"alg": algorithm, "typ": "JWT", "kid": "RS256"}, attacked.issuer.claims())

    assert attacked.status(token) == 401
    assert attacked.status(token + "AAAA") == 401


@pytest.mark.parametrize("kid", ["RS256", "ES256", "EdDSA", None])
def test_a_public_key_is_no_shared_secret(attacked: Attacked, kid: str | None) -> None:
    """Key confusion: whoever has the public key could sign with it, if it were taken for a secret."""
    header = {"alg": "HS256", "typ": "JWT", **({} if kid is None else {"kid": kid})}
    secrets = [attacked.issuer.public_pem(kid or "RS256"), attacked.issuer.jwks(), b"", b"secret"]

    assert {attacked.status(forged(header, attacked.issuer.claims(), secret)) for secret in secrets} == {401}


@pytest.mark.parametrize(("named", "used"), [("RS256", "ES256"), ("ES256", "EdDSA"), ("EdDSA", "RS256")])
def test_a_key_is_used_for_its_own_algorithm_alone(attacked: Attacked, named: str, used: str) -> None:
    assert attacked.status(attacked.issuer.signed(used, kid=named)) == 401
    header = {"alg": named, "typ": "JWT", "kid": named}
    assert attacked.status(forged(header, attacked.issuer.claims(), attacked.issuer.public_pem(named))) == 401


def test_an_issuer_signs_for_nobody_of_another(attacked: Attacked) -> None:
    for other in ({}, {"iss": attacked.issuer.issuer}):
        assert attacked.status(attacked.other.signed(**other)) in (401, 404)
    assert attacked.status(attacked.other.signed(iss=attacked.issuer.issuer)) == 401
    stranger = TestIssuer("https://stranger.example.com")
    assert attacked.status(stranger.signed()) == 401
    assert attacked.status(stranger.signed(iss=attacked.issuer.issuer)) == 401


@pytest.mark.parametrize("subject", ["headwater|ana", "ana", "|ana", "../headwater|ana", "ci|sam"])
def test_an_issuer_mints_no_principal_of_another(attacked: Attacked, subject: str) -> None:
    assert attacked.status(attacked.other.signed(sub=subject)) == 404, "somebody, who has no role"


@pytest.mark.parametrize("subject", ["", None, 7, ["sam"], {"a": 1}, "a\nb", "sam ", "x" * 300, "sam\x00"])
def test_a_subject_that_is_no_name_is_nobody(attacked: Attacked, subject: Any) -> None:
    key = attacked.issuer.keys["RS256"]
    claims = attacked.issuer.claims(sub=subject)
    token = encode(json.dumps(claims).encode(), key, "RS256", headers={"kid": "RS256"})
    assert attacked.status(token) == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "never"},
        {"aud": "https://somebody.else"},
        {"aud": None},
        {"aud": []},
        {"iss": None},
        {"iss": ["https://ci.example.com"]},
        {"iss": "https://ci.example.com/"},
    ],
    ids=str,
)
def test_a_jwt_that_is_for_others_is_nothing(attacked: Attacked, claims: dict[str, Any]) -> None:
    assert attacked.status(signed_with(attacked, claims)) == 401


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -120), ("nbf", 3600), ("iat", 3600)])
def test_a_jwt_that_is_out_of_time_is_nothing(attacked: Attacked, claim: str, seconds: int) -> None:
    assert attacked.status(signed_with(attacked, {claim: int(time.time()) + seconds})) == 401


def signed_with(attacked: Attacked, claims: dict[str, Any]) -> str:
    key = attacked.issuer.keys["RS256"]
    content = json.dumps(attacked.issuer.claims(**claims)).encode()
    return encode(content, key, "RS256", headers={"kid": "RS256"})


def test_a_jwt_that_was_altered_is_nothing(attacked: Attacked) -> None:
    header, claims, signature = attacked.issuer.signed().split(".")
    _, others, _ = attacked.issuer.signed(sub="eve").split(".")
    altered = [
        f"{header}.{others}.{signature}",
        f"{header}.{claims}.{signature[:-2]}",
        f"{header}.{claims}.",
        f"{header}.{claims}",
        f"{header}.{claims}.{signature}.{signature}",
        f".{claims}.{signature}",
        f"{header}..{signature}",
        f"{header}.{claims}.{signature}" + "A" * 9000,
        "eyJ.eyJ.eyJ",
        "....",
    ]

    assert {attacked.status(token) for token in altered} == {401}


def test_keys_that_a_jwt_brings_along_or_points_to_are_not_used(attacked: Attacked) -> None:
    """RFC 7515 has headers for that; a key comes from where the operator said, and from nowhere else."""
    eve = TestIssuer(attacked.issuer.issuer)
    address = attacked.keys.put("/eve", Page(eve.jwks()))
    jwk = json.loads(eve.jwks())["keys"][0]
    headers: list[dict[str, Any]] = [
        {"jwk": jwk, "kid": "eve"},
        {"jku": address, "kid": "RS256"},
        {"x5u": address, "kid": "RS256"},
        {"kid": "../../eve"},
        {"kid": address},
        {"kid": "RS256", "crit": ["exp"]},
    ]
    for header in headers:
        token = jwt.encode(eve.claims(), eve.keys["RS256"], "RS256", headers=header)
        assert attacked.status(token) == 401, header

    assert not [asked for asked in attacked.keys.asked if "eve" in asked]


def test_a_critical_header_that_nobody_knows_is_refused_though_the_signature_is_right(attacked: Attacked) -> None:
    content = json.dumps(attacked.issuer.claims()).encode()
    headers = {"kid": "RS256", "crit": ["b64"], "b64": True}

    assert attacked.status(encode(content, attacked.issuer.keys["RS256"], "RS256", headers=headers)) == 401


def test_key_ids_that_nobody_knows_make_the_server_ask_no_more_often(attacked: Attacked) -> None:
    before = len(attacked.keys.asked)
    begun_s = time.monotonic()
    for number in range(40):
        assert attacked.status(attacked.issuer.signed(kid=f"unknown-{number}")) == 401
    took_s = time.monotonic() - begun_s

    assert len(attacked.keys.asked) - before <= 1 + took_s / 10
