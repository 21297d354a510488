"""Attacks on whoever uses the page: forms of other sites, forged and planted cookies, addresses that lead away."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_schemas.access import new_token
from headwater_server.access.authentication import Proof
from headwater_server.access.guessing import FREE
from headwater_server.web.cookies import SessionCookies
from headwater_stores.server_key import KEY_BYTES, ServerKey

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import VISION
from tests.server.signing import NONCE, SESSION, Person

EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    with granting(module_path / "page") as server:
        yield server


@pytest.fixture(scope="module")
def token(granted: GrantedServer) -> str:
    return granted.token("ana", VISION, "reader")


@pytest.fixture
def person(granted: GrantedServer) -> Person:
    return Person(granted.server)


def is_signed_in(person: Person) -> bool:
    return person.get("/.json").status == 200


# --- forms of other sites


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "", "http://127.0.0.1", "http://127.0.0.1.evil.example", "http://[::1", "file://"]
)
def test_a_form_that_another_site_sends_signs_nobody_in_or_out(person: Person, token: str, origin: str) -> None:
    assert person.sign_in(token, Origin=origin).status == 403
    assert SESSION not in person.cookies
    person.sign_in(token)

    assert person.post("/signout", {"form": person.form_of("/")}, Origin=origin).status == 403

    assert is_signed_in(person)


def test_a_form_needs_the_token_that_its_own_browser_was_given(granted: GrantedServer, token: str) -> None:
    """A site could send a form with a token that it got itself, to sign somebody in as another."""
    attacker, victim = Person(granted.server), Person(granted.server)
    attackers_form = attacker.form_of("/signin")
    victim.get("/signin")

    for form in (attackers_form, "", "0" * 64, victim.cookies[NONCE]):
        assert victim.post("/signin", {"token": token, "form": form}).status == 403
    del victim.cookies[NONCE]
    assert victim.post("/signin", {"token": token, "form": attackers_form}).status == 403


def test_the_token_of_a_form_is_of_one_session(granted: GrantedServer, token: str) -> None:
    one, other = Person(granted.server), Person(granted.server)
    one.sign_in(token)
    time.sleep(1.1)  # cookies are made by the second
    other.sign_in(token)

    assert one.post("/signout", {"form": other.form_of("/")}).status == 403
    assert is_signed_in(one)


def test_a_form_is_bounded_and_is_a_form(person: Person) -> None:
    form = person.form_of("/signin")

    assert person.post("/signin", {"token": "x" * 100_000, "form": form}).status == 413
    assert person.post("/signin", {f"field-{n}": "x" for n in range(50)} | {"form": form}).status == 400


# --- cookies


def test_a_cookie_that_this_server_did_not_make_is_nobodys(granted: GrantedServer, person: Person, token: str) -> None:
    person.sign_in(token)
    own = person.cookies[SESSION]
    text, _, mac = own.partition(".")
    payload = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    longer = base64.urlsafe_b64encode(json.dumps([payload[0] + 999_999, *payload[1:]]).encode()).rstrip(b"=").decode()
    foreign, _ = SessionCookies(ServerKey(b"x" * KEY_BYTES)).made(_proof_of(own, granted))

    for value in (
        f"{longer}.{mac}",
        foreign,
        text,
        f"{text}.",
        f".{mac}",
        mac,
        f"{own}x",
        "",
        ".",
        "é",
        "x" * 4000,
        token,
    ):
        other = Person(granted.server, {SESSION: value})
        answer = other.get("/")
        assert (answer.status, answer.headers["location"]) == (303, "/signin"), value
    assert is_signed_in(person)


def _proof_of(cookie: str, granted: GrantedServer) -> Proof:
    key = bytes.fromhex((granted.folder / "operational" / "server.key").read_text())
    return SessionCookies(ServerKey(key)).proof(cookie)


def test_a_cookie_that_was_there_before_is_not_the_one_that_counts(granted: GrantedServer, token: str) -> None:
    planted = Person(granted.server)
    planted.sign_in(granted.token("mallory", VISION, "reader"))
    victim = Person(granted.server, {SESSION: "planted"})

    victim.get("/signin")
    victim.sign_in(token)

    assert victim.cookies[SESSION] not in ("planted", planted.cookies[SESSION])
    assert "headwater|ana" in victim.get("/").body.decode()


def test_who_guesses_in_the_form_is_slowed_down(tmp_path: Path) -> None:
    with granting(tmp_path / "store", recorded=False) as granted:
        person = Person(granted.server)
        form = person.form_of("/signin")
        begun_s = time.monotonic()
        for _ in range(FREE + 3):
            assert person.post("/signin", {"token": new_token(), "form": form}).status == 401

        assert time.monotonic() - begun_s > 1.0


# --- where an address leads, and who may show the page


@pytest.mark.parametrize(
    "address",
    [
        EVIL,
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "///evil.example/%2f..",
    ],
)
def test_nobody_is_led_to_another_site(person: Person, token: str, address: str) -> None:
    on = person.sign_in(token, address)
    assert on.headers["location"] == "/signin?kept=1"
    for given in (address, address.replace("/", "%2F")):
        assert person.get(f"/signin?next={given.replace(chr(9), '%09')}").headers["location"] == "/"


@pytest.mark.parametrize("address", ["/signin", "/", "/nothing"])
def test_no_page_is_shown_in_a_frame_of_another(person: Person, token: str, address: str) -> None:
    person.sign_in(token)
    headers = person.get(address).headers

    if "location" not in headers:
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


def test_what_one_may_not_read_cannot_be_told_from_what_is_not_there(person: Person, token: str) -> None:
    person.sign_in(token)

    hidden, missing = person.get("/p/team/audio"), person.get("/p/team/other")

    assert hidden.status == missing.status == 404
    assert hidden.body.replace(b"audio", b"other") == missing.body
