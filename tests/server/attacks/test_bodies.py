"""Bodies: no route reads one of who is nobody, which could be of any size."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.attacks.raw import connected, send_all
from tests.server.granted import GrantedServer, granting
from tests.support.serving import ServerProcess, until

PIECE = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"  # of a body without end
ROUTES = [
    f"{method} {path}"
    for method, path in [
        ("POST", "/v1/submit"),
        ("POST", "/v1/wait"),
        ("POST", "/v1/queries/runs"),
        ("POST", "/v1/subscriptions"),
        ("POST", "/v1/subscriptions/hook/replay"),
        ("POST", "/v1/subscriptions/hook/rotate"),
        ("POST", "/v1/operations/gc"),
        ("POST", "/v1/operations/import"),
        ("POST", "/v1/tokens"),
        ("PUT", "/v1/access"),
        ("POST", "/v1/projects/team/vision/contents"),
        ("POST", "/v1/projects/team/vision/contents/uploads"),
        ("PATCH", f"/v1/projects/team/vision/contents/uploads/{'0' * 32}"),
        ("POST", "/v1/projects/team/vision/collections/images/versions"),
    ]
]


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    with granting(module_path / "bodies", recorded=False) as granted:
        yield granted


@pytest.mark.parametrize("route", ROUTES)
def test_who_is_nobody_is_refused_before_its_body_is_read(granted: GrantedServer, route: str) -> None:
    head = (
        f"{route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with connected(granted.server) as connection:
        send_all(connection, [head.encode(), PIECE])

        assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "path",
    [
        *("wait", "outcomes", "queries/runs", "projects/team/vision/contents/stored"),
        *("tokens", "subscriptions", "projects/team/vision/runs", "projects/team/vision/collections/a/versions"),
    ],
)
def test_a_body_that_does_not_come_counts_as_held(granted: GrantedServer, path: str) -> None:
    token = granted.token("ana", "team/vision", "writer")
    named = f"Host: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 4000000"
    head = f"POST /v1/{path} HTTP/1.1\r\n{named}\r\n\r\n"

    with connected(granted.server) as connection:
        send_all(connection, [head.encode()])
        until(lambda: _held(granted.server) == 4_000_000, timeout_s=20)
    until(lambda: _held(granted.server) == 0)


def _held(server: ServerProcess) -> float:
    figures = server.ask("GET", "/metrics").body.decode()
    return float(figures.split("\nheadwater_server_bytes_in_flight ")[1].split()[0])
