"""Tokens that are none: cut, altered, guessed, sent twice, and hidden in odd headers."""

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from headwater_schemas.access import new_token
from headwater_server.access.guessing import FREE

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import VISION

ADDRESSES = count()
PROJECT = f"/v1/projects/{VISION}"


@pytest.fixture
def granted(tmp_path: Path) -> Iterator[GrantedServer]:
    """A server that nobody has been refused by yet."""
    with granting(tmp_path / "store") as server:
        yield server


@pytest.fixture(scope="module")
def behind_proxy(module_path: Path) -> Iterator[GrantedServer]:
    """A server that believes this machine about addresses: each test can have some of its own, so none is slowed."""
    with granting(module_path / "behind", "--trusted-proxies", "127.0.0.1") as server:
        yield server


def ask(granted: GrantedServer, *authorizations: bytes, path: str = PROJECT) -> int:
    """The status of a request with exactly these headers, from an address that was never seen."""
    at = urlsplit(granted.server.url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=60)
    connection.putrequest("GET", path)
    connection.putheader("X-Forwarded-For", f"203.0.{next(ADDRESSES)}.1")
    for value in authorizations:
        connection.putheader("Authorization", value)
    connection.endheaders()
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_token_counts_only_whole_and_as_it_is(behind_proxy: GrantedServer) -> None:
    token = behind_proxy.token("ada", VISION, "admin")
    last = "1" if token[-1] == "0" else "0"
    altered = (token[:-1], token[1:], token + "0", token[:-1] + last, token.lower(), token.replace("hw_", "hw-"), "hw_")

    assert {ask(behind_proxy, f"Bearer {other}".encode()) for other in altered} == {401}
    assert ask(behind_proxy, f"Bearer {token}".encode()) == 200


def test_what_is_no_single_bearer_token_is_not_taken(behind_proxy: GrantedServer) -> None:
    sent = behind_proxy.token("bob", VISION, "reader").encode()
    odd: list[tuple[bytes, ...]] = [
        (b"",),
        (b"Bearer",),
        (b"Bearer ",),
        (sent,),
        (b"Basic " + sent,),
        (b"Bearer" + sent,),
        (b"Bearer " + sent + b" " + sent,),
        (b"Bearer " + sent + b", Bearer " + sent,),
        (b"Bearer " + sent, b"Bearer " + sent),
        (b"Bearer \xff\xfe",),
        (b"Bearer " + "hw_é".encode(),),
        (b"Bearer " + b"a" * 9000,),
        (b"Bearer " + b"a." * 4000 + b"a",),
    ]

    assert {ask(behind_proxy, *headers) for headers in odd} == {401}
    assert ask(behind_proxy, b"bEARER " + sent) == 200


@pytest.mark.parametrize("place", ["?token={}", "?access_token={}", "?authorization=Bearer%20{}"])
def test_a_token_in_an_address_does_not_count(behind_proxy: GrantedServer, place: str) -> None:
    """Addresses are kept in logs and histories."""
    token = behind_proxy.token("eve", VISION, "reader")

    assert behind_proxy.status(PROJECT + place.format(token), None) == 401


def test_who_guesses_is_slowed_and_a_valid_token_from_there_is_not(granted: GrantedServer) -> None:
    token = granted.token("ada", VISION, "reader")
    for _ in range(FREE):
        assert granted.status(PROJECT, new_token()) == 401

    def refused() -> tuple[int, float]:
        begun_s = time.monotonic()
        return granted.status(PROJECT, new_token()), time.monotonic() - begun_s

    with ThreadPoolExecutor(6) as pool:
        guesses = [pool.submit(refused) for _ in range(6)]
        time.sleep(0.05)
        begun_s = time.monotonic()
        assert granted.status(PROJECT, token) == 200
        took_s = time.monotonic() - begun_s
        slowest = max(guess.result() for guess in guesses)

    assert slowest[0] == 401
    assert slowest[1] > 2.0
    assert took_s < slowest[1]


def test_who_guesses_does_not_get_around_it_by_naming_other_addresses(granted: GrantedServer) -> None:
    """Nobody was named a trusted proxy, so nobody's word about addresses counts."""
    begun_s = time.monotonic()
    for number in range(FREE + 3):
        headers = {"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"}
        assert granted.server.ask("GET", PROJECT, token=new_token(), headers=headers).status == 401

    assert time.monotonic() - begun_s > 1.0
