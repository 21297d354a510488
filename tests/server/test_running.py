"""Starting and ending a server, and what it answers whatever it serves."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli.commands import refused
from tests.server.stopped_while_logging import PROGRAM
from tests.support.serving import STOP_S, ServerProcess, serving


def test_a_server_on_a_new_folder_is_healthy_and_ready(open_server: ServerProcess) -> None:
    assert open_server.get("/health") == {"status": "ok"}
    assert open_server.get("/ready") == {"status": "ready", "trouble": None}


def test_it_tells_prometheus_what_it_answered(open_server: ServerProcess) -> None:
    open_server.get("/health")
    figures = open_server.ask("GET", "/metrics").body.decode()
    assert 'headwater_server_requests_total{method="GET",route="/health",status="200"} 1.0' in figures


def test_what_is_not_there_is_answered_in_the_one_shape_of_errors(open_server: ServerProcess) -> None:
    answer = open_server.ask("GET", "/v1/nothing")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status == answer.json["status"] == 404
    assert answer.json["reason"] == "not-found"
    assert answer.json["thing"] == "/v1/nothing"
    assert answer.json["next_step"]


def test_a_method_that_a_path_does_not_take_is_answered_with_those_that_it_takes(open_server: ServerProcess) -> None:
    answer = open_server.ask("PATCH", "/v1/projects/team/vision/collections/images/aliases/prod")
    assert (answer.status, answer.json["reason"]) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, PUT, DELETE"


def test_paths_that_are_no_routes_do_not_fill_the_metrics(open_server: ServerProcess) -> None:
    for number in range(20):
        open_server.ask("GET", f"/made-up-{number}")
    assert "made-up" not in open_server.ask("GET", "/metrics").body.decode()


def test_a_query_that_is_too_long_is_refused(open_server: ServerProcess) -> None:
    answer = open_server.ask("GET", "/health?" + "&".join(f"a{n}=1" for n in range(2_500)))
    assert (answer.status, answer.json["reason"]) == (414, "too-large")


def test_it_ends_at_once_when_told_to_though_a_connection_is_kept(tmp_path: Path) -> None:
    with serving("--url", str(tmp_path / "store"), "--open") as server:
        at = urlsplit(server.url)
        with socket.create_connection((at.hostname, at.port)) as kept:
            kept.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert kept.recv(12) == b"HTTP/1.1 200"
            assert server.stop() == 0


def test_a_signal_that_comes_while_something_is_logged_is_not_lost(tmp_path: Path) -> None:
    with serving("--url", str(tmp_path / "store"), "--open", program=PROGRAM) as server:
        server.ask("POST", "/v1/operations/gc", b"{}")

        assert server.process.wait(STOP_S) == 0


def test_a_port_that_is_taken_is_an_error_that_says_so(open_server: ServerProcess, tmp_path: Path) -> None:
    port = str(urlsplit(open_server.url).port)
    told = refused("server", "--url", str(tmp_path / "other"), "--open", "--port", port)
    assert f"cannot listen on 127.0.0.1:{port}" in told


def test_a_server_that_is_open_to_everybody_listens_on_this_machine_alone(tmp_path: Path) -> None:
    told = refused("server", "--url", str(tmp_path / "store"), "--open", "--host", "0.0.0.0")
    assert "--open" in told
    assert not (tmp_path / "store").exists()


def test_a_start_that_fails_leaves_no_store_behind(open_server: ServerProcess, tmp_path: Path) -> None:
    store, nothing, junk = tmp_path / "other", tmp_path / "nothing.pem", tmp_path / "junk.pem"
    junk.write_text("junk")
    start = ("server", "--url", str(store), "--open", "--port")

    refused(*start, str(urlsplit(open_server.url).port))
    assert str(nothing) in refused(*start, "0", "--tls-certificate", str(nothing))
    assert f"{str(junk)!r} is not a certificate chain" in refused(*start, "0", "--tls-certificate", str(junk))
    assert "--tls-key is of no use" in refused(*start, "0", "--tls-key", str(junk))
    assert not store.exists()
