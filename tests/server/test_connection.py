"""Requests to a server: connections that are kept, servers that are away, and errors that are ours again."""

import json
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from headwater_schemas.errors import (
    BlobMissing,
    EventRejected,
    HeadwaterError,
    InvalidName,
    InvalidSettings,
    NotFound,
    Reason,
    StoreNotAnswering,
    StoreReadOnly,
    StoreUnavailable,
)
from headwater_schemas.problems import error_of, word_of
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.http.connection import Body, ServerConnection

from tests.support.serving import ServerProcess, serving
from tests.support.web import Page, new_certificate
from tests.support.web import serving as web


class Scripted:
    """A server that gives these answers, in order, each to one request; `b""` ends the connection without one."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self.pieces = 0  # in which they came
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        while self._answers:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
                self.pieces += 1
            head, _, body = request.partition(b"\r\n\r\n")
            length = next((int(h[15:]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
            while len(body) < length:
                body += connection.recv(65536)
                self.pieces += 1
            self.requests.append(head + b"\r\n\r\n" + body)
            answer = self._answers.pop(0)
            if not answer:
                return
            connection.sendall(answer)


def answer(status: str, content: object = "", *headers: str) -> bytes:
    body = json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


OK = answer("200 OK", {"fine": True})
BUSY = answer("503 Service Unavailable", {"reason": "store-unavailable", "detail": "PostgreSQL is away."})


@contextmanager
def connected(url: str, outage_s: float = 5.0, **more: str) -> Iterator[ServerConnection]:
    with closing(ServerConnection(ServerAddress(url=url, **more), outage_s=outage_s)) as connection:
        yield connection


def test_one_connection_is_kept_for_all_requests_of_one_thread() -> None:
    server = Scripted(OK, OK, OK)
    with connected(server.url) as connection:
        for _ in range(3):
            assert connection.call("/v1/thing", {}) == {"fine": True}

    assert server.connections == 1


def test_a_small_request_comes_whole_and_a_large_one_as_it_is_made() -> None:
    server = Scripted(OK, OK)
    with connected(server.url) as connection:
        connection.call("/v1/thing", {"sent": "at once"})
        assert server.pieces == 1
        connection.request("POST", "/v1/thing", Body(lambda: [b"small", b"l" * 200_000, b"small"], 200_010))
    assert server.requests[1].endswith(b"\r\n\r\nsmall" + b"l" * 200_000 + b"small")


def test_the_token_goes_with_every_request_and_a_base_path_before_each() -> None:
    server = Scripted(OK)
    with connected(server.url + "/base", token="the-token") as connection:
        connection.request("GET", "/v1/thing")

    assert server.requests[0].startswith(b"GET /base/v1/thing HTTP/1.1\r\n")
    assert b"Authorization: Bearer the-token\r\n" in server.requests[0]


def test_a_kept_connection_that_the_server_closed_is_replaced_at_once_even_without_patience() -> None:
    server = Scripted(OK, b"", OK)
    with connected(server.url, outage_s=0.0) as connection:
        assert [connection.call("/v1/thing", {}) for _ in range(2)] == [{"fine": True}] * 2

    assert server.connections == 2


def test_a_server_that_is_busy_is_asked_again_when_it_says_so() -> None:
    busy = answer("503 Service Unavailable", "", "Retry-After: 1")
    server = Scripted(busy, OK)
    with connected(server.url) as connection:
        started_s = time.monotonic()
        connection.call("/v1/thing", {"sent": "twice"})
        waited_s = time.monotonic() - started_s

    assert waited_s >= 1.0
    bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
    assert bodies == [b'{"sent":"twice"}'] * 2


def test_a_body_in_pieces_is_made_again_for_each_attempt() -> None:
    server = Scripted(BUSY, OK)
    body = Body(lambda: (bytes([n]) * 1000 for n in range(3)), 3000)
    with connected(server.url) as connection:
        connection.request("POST", "/v1/thing", body)

    bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
    assert bodies == [b"".join(bytes([n]) * 1000 for n in range(3))] * 2


def test_what_the_server_says_of_its_store_is_the_error_once_patience_is_over() -> None:
    server = Scripted(BUSY, BUSY, BUSY)
    with (
        connected(server.url, outage_s=0.06) as connection,
        pytest.raises(StoreUnavailable, match="PostgreSQL is away"),
    ):
        connection.call("/v1/thing", {})


def test_a_server_that_cannot_be_reached_is_named_with_how_long_it_was_tried(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with connected(url, outage_s=0.2) as connection, pytest.raises(StoreNotAnswering) as raised:
        connection.request("GET", "/v1/thing")

    assert url in str(raised.value)
    assert "HEADWATER_OUTAGE_SECONDS" in str(raised.value)


@pytest.mark.parametrize(
    ("method", "path", "is_written"),
    [
        ("GET", "/v1/me", False),
        ("POST", "/v1/queries/collections", False),
        ("POST", "/v1/projects/a/b/contents/read", False),
        ("POST", "/v1/projects/a/b/contents", True),
        ("POST", "/v1/submit", True),
    ],
)
def test_only_who_writes_is_told_that_something_may_be_stored(method: str, path: str, is_written: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with connected(url, outage_s=0.05) as connection, pytest.raises(StoreNotAnswering) as raised:
        connection.request(method, path, b"{}")

    assert ("may be stored" in str(raised.value)) is is_written


@pytest.mark.parametrize(
    "error",
    [
        NotFound("there is no a/b/c. Check it."),
        InvalidName("'x y' is no name. Use others."),
        StoreReadOnly("it is read-only. Ask."),
        BlobMissing("packs/… is gone. Add it again."),
        EventRejected("prod has moved. Look again.", reason=Reason.ALIAS_MOVED),
    ],
)
def test_an_error_of_the_server_is_the_same_error_here(error: HeadwaterError) -> None:
    server = Scripted(answer("503 X", {"reason": word_of(error), "detail": str(error)}))
    with connected(server.url, outage_s=0.0) as connection, pytest.raises(type(error)) as raised:
        connection.call("/v1/thing", {})

    assert str(raised.value) == str(error)
    assert getattr(raised.value, "reason", None) == getattr(error, "reason", None)


def test_every_error_has_a_word_of_its_own_that_leads_back_to_it() -> None:
    kinds = [*_below(HeadwaterError)]
    for kind in kinds:
        error = kind.__new__(kind)
        if not isinstance(error, EventRejected) and word_of(error) != "fault":
            assert isinstance(error, type(error_of(word_of(error), "what")))
    assert len(kinds) > 20


def _below(kind: type[HeadwaterError]) -> Iterator[type[HeadwaterError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


def test_without_a_token_that_counts_the_error_is_about_settings_and_is_not_repeated() -> None:
    server = Scripted(answer("401 Unauthorized"), OK)
    with connected(server.url, token="the-token") as connection, pytest.raises(InvalidSettings) as raised:
        connection.call("/v1/thing", {})

    assert "HEADWATER_TOKEN" in str(raised.value)
    assert "the-token" not in str(raised.value)
    assert len(server.requests) == 1


def test_redirects_are_not_followed_so_that_a_token_goes_nowhere_else() -> None:
    with web() as other:
        server = Scripted(answer("302 Found", "", f"Location: {other.address}/v1/thing"))
        other.put("/v1/thing", Page(b"{}"))
        with connected(server.url, token="t") as connection, pytest.raises(StoreUnavailable, match="somewhere else"):
            connection.call("/v1/thing", {})
        assert not other.asked


def test_an_answer_without_end_is_refused() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    server = Scripted(head + b" " * (65 * 1024 * 1024))
    with connected(server.url) as connection, pytest.raises(StoreUnavailable, match="at once"):
        connection.request("GET", "/v1/thing")


def test_threads_use_connections_of_their_own_and_these_are_used_again(open_server: ServerProcess) -> None:
    with connected(open_server.url) as connection, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: connection.request("GET", "/health").json, range(200)))

    assert answers == [{"status": "ok"}] * 200


def test_a_forked_child_and_its_parent_both_go_on(open_server: ServerProcess) -> None:
    with connected(open_server.url) as connection:
        connection.request("GET", "/health")
        child = multiprocessing.get_context("fork").Process(target=_ask_often, args=[connection])
        child.start()
        _ask_often(connection)
        child.join()

    assert child.exitcode == 0


def _ask_often(connection: ServerConnection) -> None:
    for _ in range(100):
        assert connection.request("GET", "/health").json == {"status": "ok"}


def test_a_server_that_restarts_in_the_middle_is_waited_for(tmp_path: Path) -> None:
    where = ("--url", str(tmp_path / "store"), "--open")
    with serving(*where) as server:
        port = server.url.rpartition(":")[2]
        with connected(server.url, outage_s=60.0) as connection:
            connection.request("GET", "/health")
            server.kill()
            with ThreadPoolExecutor(1) as thread:
                answered = thread.submit(connection.request, "GET", "/health")
                with serving(*where, "--port", port):
                    assert answered.result(60).json == {"status": "ok"}


def test_a_certificate_counts_only_by_the_authorities_that_are_named(tmp_path: Path) -> None:
    certificate = new_certificate(tmp_path)
    with web(certificate) as site:
        site.put("/v1/thing", Page(b"{}"))
        with connected(site.address, ca_file=str(certificate)) as connection:
            assert connection.request("GET", "/v1/thing").json == {}
        with connected(site.address) as stranger, pytest.raises(InvalidSettings, match="HEADWATER_CA_FILE"):
            stranger.request("GET", "/v1/thing")
