"""Requests that attack the server itself: malformed, huge, slow, ambiguous. It answers each in bounds, and goes on."""

import time
from collections.abc import Iterator

import pytest

from tests.server.attacks.raw import connected, received, send_all, sent, statuses
from tests.server.recorded import VISION
from tests.support.serving import ServerProcess

IMAGES = f"/v1/projects/{VISION}/collections/images"
FILES = f"{IMAGES}/versions/v1/files"


@pytest.fixture(autouse=True)
def it_goes_on(recorded_server: ServerProcess) -> Iterator[None]:
    yield
    assert recorded_server.get("/health") == {"status": "ok"}


# --- where a path leads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "../../../../../../etc/passwd",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "....//....//etc/passwd",
        "%252e%252e%252fetc%252fpasswd",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "cat.txt%00.png",
        "..%5c..%5cwindows",
        "file:///etc/passwd",
        "%c0%ae%c0%ae/etc/passwd",
        "%ff%fe",
    ],
)
def test_no_path_leads_out_of_a_version(recorded_server: ServerProcess, path: str) -> None:
    answer = recorded_server.ask("GET", f"{FILES}/{path}")
    assert answer.status in (400, 404), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"root:" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        f"{FILES}/a%0d%0aSet-Cookie:%20a=b",
        f"{IMAGES}/versions?limit=1&x=%0d%0aSet-Cookie:%20a=b",
        "/v1/nothing%0d%0aSet-Cookie:%20a=b",
        f"{IMAGES}/versions/v0%0d%0aSet-Cookie:%20a=b",
    ],
)
def test_no_header_can_be_injected(recorded_server: ServerProcess, path: str) -> None:
    assert "set-cookie" not in recorded_server.ask("GET", path).headers


# --- too much -----------------------------------------------------------------------------------------------------


def test_huge_headers_are_refused_while_they_come(recorded_server: ServerProcess) -> None:
    lines = [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n",
        *[b"X-%d: %s\r\n" % (n, b"a" * 4000) for n in range(20)],
        b"\r\n",
    ]
    assert statuses(sent(recorded_server, b"".join(lines))) in ([431], [400])
    with connected(recorded_server) as endless:
        send_all(endless, [b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Endless: "])
        assert not send_all(endless, [b"a" * 65_536] * 1000)


def test_a_huge_url_is_refused(recorded_server: ServerProcess) -> None:
    answers = sent(recorded_server, b"GET /", b"a" * 60_000, b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert statuses(answers)[0] in (400, 404, 431)


def test_a_million_query_parameters_are_refused_unread(recorded_server: ServerProcess) -> None:
    query = b"&".join(b"a%d=1" % number for number in range(1_000_000))
    begun = time.process_time()
    answers = sent(recorded_server, b"GET /v1/projects?", query, b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert set(statuses(answers)) <= {400, 414, 431}
    assert time.process_time() - begun < 10


def test_many_query_parameters_within_the_bound_are_no_trouble(recorded_server: ServerProcess) -> None:
    query = "&".join(f"a{number}=1" for number in range(1500))
    answer = recorded_server.ask("GET", f"/v1/projects?{query}")
    assert (answer.status, answer.json["reason"]) == (400, "invalid")  # none of them is known
    assert recorded_server.ask("GET", f"/v1/projects?{'&'.join(['limit=1'] * 1500)}").status == 200


# --- too slow -----------------------------------------------------------------------------------------------------


def test_heads_that_do_not_come_cost_their_connections(recorded_server: ServerProcess) -> None:
    """It takes HEAD_S, which is the server's own patience: some clients are slow without meaning harm."""
    slow = [connected(recorded_server) for _ in range(50)]
    send_all(slow[0], [b"GET /health HTTP/1.1\r\n"])
    send_all(slow[1], [b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"])  # and then the head of a second one
    assert slow[1].recv(12) == b"HTTP/1.1 200"
    send_all(slow[1], [b"GET /hea"])
    assert all(statuses(received(one)) == [] for one in slow)
    for one in slow:
        one.close()


# --- ambiguous: what a proxy in front could read differently ------------------------------------------------------

SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(SMUGGLED),
        b"Content-Length: +0\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x10\r\n",
        b"Content-Length: 1, 2\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Content-Length: \r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_an_ambiguous_length_smuggles_no_second_request(recorded_server: ServerProcess, framing: bytes) -> None:
    answers = sent(recorded_server, b"POST /health HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n" + SMUGGLED)
    assert b"smuggled" not in answers
    assert len(statuses(answers)) <= 1


@pytest.mark.parametrize("chunk", [b"ffffffffffffffffff\r\n", b"-1\r\n", b"5;" + b"a" * 100_000 + b"\r\n", b"zz\r\n"])
def test_a_malformed_chunk_ends_its_connection(recorded_server: ServerProcess, chunk: bytes) -> None:
    head = b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    answers = sent(recorded_server, head + chunk + b"0\r\n\r\n" + SMUGGLED)
    assert b"smuggled" not in answers


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(recorded_server: ServerProcess, line: bytes) -> None:
    assert set(statuses(sent(recorded_server, line))) <= {400, 404}


def test_many_requests_in_one_go_are_answered_in_order(recorded_server: ServerProcess) -> None:
    with connected(recorded_server) as pipelined:
        send_all(pipelined, [b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50])
        send_all(pipelined, [b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"])
        assert statuses(received(pipelined)) == [200] * 51
