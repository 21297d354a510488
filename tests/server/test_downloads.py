"""The content of a file over HTTP: whole, in ranges, under conditions, and never as anything a browser would run."""

import socket
from http.client import IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.server.recorded import LARGE, VISION, record
from tests.support.serving import Answer, ServerProcess, serving, until

FILES = f"/v1/projects/{VISION}/collections/images/versions/v1/files"


def asked(server: ServerProcess, path: str, method: str = "GET", **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.ask(method, f"{FILES}/{path}", headers=given)


@pytest.mark.parametrize(
    ("path", "content"), [("cat.txt", b"a better cat"), ("large.bin", LARGE)], ids=["small", "large"]
)
def test_a_file_comes_whole_with_its_digest_as_etag(recorded_server: ServerProcess, path: str, content: bytes) -> None:
    answer = asked(recorded_server, path)
    entry = recorded_server.get(f"/v1/projects/{VISION}/collections/images/versions/v1/entries/{path}")
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["etag"] == f'"{entry["digest"]}"'
    assert answer.headers["content-length"] == str(len(content))
    assert asked(recorded_server, path, If_None_Match=answer.headers["etag"]).status == 304


def test_a_file_is_never_shown_by_a_browser(recorded_server: ServerProcess) -> None:
    headers = asked(recorded_server, "%3Cb%3E.html").headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == "attachment; filename=\"_b_.html\"; filename*=UTF-8''%3Cb%3E.html"
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["cat.txt", "large.bin"])
@pytest.mark.parametrize(
    ("asked_range", "first", "last"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-5", 2, 6),
        ("bytes=3-", 3, None),
        ("bytes=-4", -4, None),
        ("bytes=2-999999999", 2, None),
    ],
)
def test_a_range_comes_alone(
    recorded_server: ServerProcess, path: str, asked_range: str, first: int, last: int | None
) -> None:
    whole = asked(recorded_server, path).body
    answer = asked(recorded_server, path, Range=asked_range)
    assert (answer.status, answer.body) == (206, whole[first:last])
    start = first % len(whole)
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(answer.body) - 1}/{len(whole)}"


@pytest.mark.parametrize("asked_range", ["bytes=12-", "bytes=999-1000", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(recorded_server: ServerProcess, asked_range: str) -> None:
    answer = asked(recorded_server, "cat.txt", Range=asked_range)
    assert (answer.status, answer.json["reason"]) == (416, "range-not-satisfiable")
    assert answer.headers["content-range"] == "bytes */12"


@pytest.mark.parametrize("asked_range", ["bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "bytes=--1", ""])
def test_what_is_no_single_range_gets_the_whole(recorded_server: ServerProcess, asked_range: str) -> None:
    assert asked(recorded_server, "cat.txt", Range=asked_range).status == 200


def test_a_range_of_another_content_gets_the_whole(recorded_server: ServerProcess) -> None:
    etag = asked(recorded_server, "cat.txt").headers["etag"]
    assert asked(recorded_server, "cat.txt", Range="bytes=0-1", If_Range=etag).status == 206
    assert asked(recorded_server, "cat.txt", Range="bytes=0-1", If_Range='"other"').status == 200


@pytest.mark.parametrize("path", ["cat.txt", "large.bin"])
def test_head_tells_what_get_would_send(recorded_server: ServerProcess, path: str) -> None:
    whole, head = asked(recorded_server, path), asked(recorded_server, path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("etag", "content-length", "content-disposition", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]


def test_a_damaged_file_breaks_off_before_its_end(tmp_path: Path) -> None:
    store = tmp_path / "store"
    record(store)
    damaged = next(path for path in store.rglob("*") if path.is_file() and path.stat().st_size == len(LARGE))
    damaged.chmod(0o600)
    with damaged.open("r+b") as file:
        file.seek(len(LARGE) - 1)
        file.write(b"!")
    with serving("--url", str(store), "--open") as server, pytest.raises(IncompleteRead):
        server.ask("GET", f"{FILES}/large.bin")


def test_a_client_that_leaves_a_download_frees_its_place(recorded_server: ServerProcess) -> None:
    at = urlsplit(recorded_server.url)
    with socket.create_connection((at.hostname, at.port)) as leaving:
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        leaving.sendall(f"GET {FILES}/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert leaving.recv(1024)
    until(lambda: b"headwater_server_open_downloads 0.0" in recorded_server.ask("GET", "/metrics").body)
