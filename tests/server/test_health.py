"""`headwater health`, by which supervisors of containers ask, and `headwater setup` on a folder."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from services.ports import free_ports
from tests.cli.commands import headwater, refused
from tests.support.serving import ServerProcess, serving


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The URL of a server that always gives one answer."""

    class Fixed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Fixed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/health"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("page", ["/ready", "/health"])
def test_a_server_that_is_well_is_told_in_one_line(open_server: ServerProcess, page: str) -> None:
    (line,) = headwater("health", open_server.url + page).splitlines()
    assert '"status"' in line


def test_one_that_is_not_well_is_an_error_with_what_it_says() -> None:
    with answering(503, b'{\n "status": "trouble",\n "trouble": "Kafka is away"\n}') as url:
        told = refused("health", url)
    assert f'{url} answers 503 Service Unavailable: {{ "status": "trouble", "trouble": "Kafka is away" }}' in told


def test_an_answer_without_a_name_is_told_by_its_number() -> None:
    with answering(599, b"odd") as url:
        assert f"{url} answers 599: odd" in refused("health", url)


def test_one_that_does_not_answer_is_an_error_that_asks_whether_it_runs() -> None:
    (port,) = free_ports(1)
    told = refused("health", f"http://127.0.0.1:{port}/ready")
    assert f"http://127.0.0.1:{port}/ready does not answer" in told
    assert "Is it running" in told


@pytest.mark.parametrize("url", ["127.0.0.1:8470", "file:///etc/passwd", "ftp://127.0.0.1/health"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert "is not the address of a health page" in refused("health", url)


def test_setting_up_a_folder_makes_it_and_the_key_of_its_servers_once(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = headwater("setup", "--url", str(store))
    again = headwater("setup", "--url", str(store))

    assert first == again
    assert "log" in first
    assert (store / "operational" / "operational.db").exists()
    assert (store / "operational" / "server.key").stat().st_mode & 0o777 == 0o600
    with serving("--url", str(store), "--open") as server:
        headwater("health", f"{server.url}/ready")


def test_what_is_behind_a_server_is_not_set_up_through_it(open_server: ServerProcess) -> None:
    assert "is set up there" in refused("setup", "--url", open_server.url)
