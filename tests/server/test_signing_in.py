"""Signing in and out of the page: what a cookie is given for, what it holds, and when it ends."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_schemas.access import new_token, token_hash
from headwater_server.access.authentication import TokenProof
from headwater_server.access.jwts import Vouched
from headwater_server.http.problems import Problem
from headwater_server.web.cookies import SIGNED_IN_S_MAX, VALUE_LENGTH_MAX, SessionCookies
from headwater_stores.server_key import KEY_BYTES, ServerKey

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import VISION
from tests.server.signing import SESSION, Person
from tests.server.test_events import log, streaming
from tests.server.vouching import TestIssuer, trusting
from tests.support.serving import ServerProcess, until

NOW_S = 1_800_000_000.0
HASH = "0" * 64


@pytest.fixture(scope="module")
def issuer() -> TestIssuer:
    return TestIssuer("https://ci.example.com")


@pytest.fixture(scope="module")
def granted(module_path: Path, issuer: TestIssuer) -> Iterator[GrantedServer]:
    """A server that takes tokens, and the JWTs of an issuer, which are a reader's."""
    roles = f"""
        [[issuers.roles]]
        scope = "{VISION}"
        role = "reader"
        claims = {{ repository = "acme/vision" }}
    """
    with granting(module_path / "store", *trusting(module_path, issuer, roles)) as server:
        yield server


@pytest.fixture
def person(granted: GrantedServer) -> Person:
    return Person(granted.server)


def projects(person: Person) -> list[str]:
    answer = person.get("/.json")
    return [one["project"] for one in answer.json["projects"]] if answer.status == 200 else []


def test_who_is_not_signed_in_is_led_to_the_form_and_back_and_sees_what_its_token_gives(
    granted: GrantedServer, person: Person
) -> None:
    token = granted.token("ana", VISION, "reader")
    led = person.get("/?x=cat%20dog")
    assert (led.status, led.headers["location"]) == (303, "/signin?next=%2F%3Fx%3Dcat%2520dog")
    assert person.get("/.json").status == 401

    signed_in = person.sign_in(token, "/?x=cat%20dog")

    assert signed_in.status == 303
    on = person.get(signed_in.headers["location"])
    assert (on.status, on.headers["location"]) == (303, "/?x=cat%20dog")
    assert projects(person) == [VISION]
    assert "headwater|ana" in person.get("/").body.decode()


def test_the_cookie_is_kept_from_scripts_other_sites_and_other_hosts_and_holds_no_token(
    granted: GrantedServer, person: Person
) -> None:
    token = granted.token("ben", VISION, "reader")
    (line,) = [line for line in person.sign_in(token).set_cookies if line.startswith(f"{SESSION}=")]

    attributes = {part.strip().lower() for part in line.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)
    text = person.cookies[SESSION].partition(".")[0]
    held = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    assert token not in held
    assert token_hash(token) in held


def test_a_jwt_is_exchanged_too_for_as_long_as_it_counts(
    granted: GrantedServer, person: Person, issuer: TestIssuer
) -> None:
    signed = issuer.signed(repository="acme/vision", exp=int(time.time()) + 5)

    assert person.sign_in(signed).status == 303

    assert projects(person) == [VISION]
    until(lambda: projects(person) == [], timeout_s=30)


def test_a_token_that_is_revoked_ends_at_once_what_was_begun_with_it(granted: GrantedServer, person: Person) -> None:
    made = granted.operator.create_token("eve", VISION, role="reader")
    person.sign_in(made.text)
    assert projects(person) == [VISION]

    granted.operator.revoke_token(made.id)

    until(lambda: person.get("/").status == 303, timeout_s=5)


def test_roles_that_are_given_and_taken_count_at_the_next_look(granted: GrantedServer, person: Person) -> None:
    person.sign_in(granted.token("fay", "team", "reader"))
    until(lambda: len(projects(person)) == 2, timeout_s=5)

    granted.operator.revoke("fay", "team")

    until(lambda: projects(person) == [], timeout_s=5)


def test_signing_out_forgets_the_cookie_and_what_the_browser_kept(granted: GrantedServer, person: Person) -> None:
    person.sign_in(granted.token("gil", VISION, "reader"))

    answer = person.sign_out()

    assert (answer.status, answer.headers["location"]) == (303, "/signin")
    assert answer.headers["clear-site-data"] == '"cache"'
    assert SESSION not in person.cookies
    assert person.get("/").status == 303


def test_a_wrong_token_is_refused_in_the_form_and_no_cookie_is_given(person: Person) -> None:
    for token in (new_token(), "", "nonsense", "<script>"):
        answer = person.sign_in(token, "/search")
        assert answer.status == 401
        assert 'role="alert"' in answer.body.decode()
        assert 'name="next" value="/search"' in answer.body.decode()
        assert SESSION not in person.cookies


def test_a_browser_that_keeps_no_cookie_is_told_why(granted: GrantedServer, person: Person) -> None:
    on = person.sign_in(granted.token("ida", VISION, "reader")).headers["location"]
    del person.cookies[SESSION]

    assert "did not keep the cookie" in person.get(on).body.decode()


def test_a_program_may_ask_for_data_with_its_token(granted: GrantedServer) -> None:
    token = granted.token("jim", VISION, "reader")

    assert [one["project"] for one in granted.server.get("/.json", token=token)["projects"]] == [VISION]
    assert granted.server.ask("GET", "/.json", token=new_token()).status == 401


def test_the_interface_for_programs_knows_nobody_by_a_cookie(granted: GrantedServer, person: Person) -> None:
    person.sign_in(granted.token("kim", VISION, "admin"))

    assert person.get(f"/v1/projects/{VISION}").status == 401


def test_the_stream_of_a_page_tells_of_what_its_visitor_may_read_and_shows_that_it_lives(
    granted: GrantedServer, person: Person
) -> None:
    """Takes as long as a stream waits until it gives a sign of life, which scripts can see."""
    person.sign_in(granted.token("lea", VISION, "reader"))
    cookie = f"{SESSION}={person.cookies[SESSION]}"
    with streaming(granted.server, path="/live", Cookie=cookie) as stream:
        messages = stream.messages()
        assert next(messages).data is None
        log(granted.folder, "sounds", "secret", project="audio")
        log(granted.folder, "images", "open")

        told = [next(messages) for _ in range(3)]  # a run began, a version was logged, the run ended

        assert {message.data["data"]["project"] for message in told} == {VISION}
        beat = next(message for message in messages if message.data is None)
        assert (beat.name, beat.id is None) == ("beat", False)
    with streaming(granted.server, path="/live", Cookie=f"{cookie}x") as stream:
        assert stream.status == 401


def test_nobody_signs_in_where_everybody_is_let_in(recorded_server: ServerProcess) -> None:
    anybody = Person(recorded_server)

    assert anybody.get("/signin").status == 404
    assert b"Sign out" not in anybody.get("/").body


# --- the cookie itself


def cookies(secret: int = 1, now_s: float = NOW_S) -> SessionCookies:
    return SessionCookies(ServerKey(bytes([secret]) * KEY_BYTES), clock=lambda: now_s)


@pytest.mark.parametrize(
    "proof",
    [TokenProof(HASH), Vouched("ci|job", (("team", "reader"),), int(NOW_S) + 600, NOW_S)],
    ids=["token", "jwt"],
)
def test_a_cookie_tells_what_was_proved_on_every_server_with_this_key(proof: TokenProof | Vouched) -> None:
    value, seconds = cookies().made(proof)

    assert cookies().proof(value) == proof
    assert seconds == (SIGNED_IN_S_MAX if isinstance(proof, TokenProof) else 600)


def test_a_cookie_ends_by_itself() -> None:
    value, seconds = cookies().made(TokenProof(HASH))

    assert cookies(now_s=NOW_S + seconds - 1).proof(value)
    with pytest.raises(Problem):
        cookies(now_s=NOW_S + seconds).proof(value)


def test_a_cookie_of_another_key_or_altered_in_any_place_counts_for_nothing() -> None:
    value, _ = cookies().made(TokenProof(HASH))

    with pytest.raises(Problem):
        cookies(secret=2).proof(value)
    for place in range(len(value)):
        for other in ("A", "B", ""):
            altered = value[:place] + other + value[place + 1 :]
            if altered != value:
                with pytest.raises(Problem):
                    cookies().proof(altered)


def test_a_cookie_that_no_browser_would_keep_is_not_made() -> None:
    roles = tuple((f"team/project-{number}", "reader") for number in range(VALUE_LENGTH_MAX // 20))

    with pytest.raises(Problem, match="roles"):
        cookies().made(Vouched("ci|job", roles, int(NOW_S) + 600, NOW_S))
