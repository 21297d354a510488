"""The status of a process over HTTP: /health for a supervisor, /metrics for Prometheus."""

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any

from headwater_schemas.errors import InvalidSettings

HOST = "127.0.0.1"
PORT = 9464
REQUEST_S = 10.0  # for a request that is sent slowly
JSON = "application/json"
METRICS = "text/plain; version=0.0.4; charset=utf-8"

Answer = tuple[HTTPStatus, str, bytes]  # with the type of its content
Pages = Mapping[str, Callable[[], Answer]]  # by path


class HttpEndpoint:
    """Serves inside a `with` block. Port 0 is any free one; `port` is the actual one."""

    def __init__(self, pages: Pages, *, host: str = HOST, port: int = PORT) -> None:
        """Raises: InvalidSettings when the address cannot be listened on."""
        try:
            self._server = _Server((host, port), type("Bound", (_Handler,), {"pages": pages}))
        except (OSError, OverflowError) as error:
            raise InvalidSettings(
                f"health and metrics cannot be served at {host}:{port} ({error}). "
                "Name another port, or 0 for any free one."
            ) from error
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="headwater-endpoint", daemon=True)

    def __enter__(self) -> "HttpEndpoint":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def pages_of(health: Callable[[], tuple[bool, Mapping[str, Any]]], metrics: Callable[[], bytes]) -> Pages:
    """Both pages. `health` says whether it answers 200 or 503, and its content."""

    def tell_health() -> Answer:
        is_good, content = health()
        status = HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE
        return status, JSON, json.dumps(content, indent=1).encode() + b"\n"

    return {"/health": tell_health, "/metrics": lambda: (HTTPStatus.OK, METRICS, metrics())}


class _Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Without looking up the host's name, which may take long, and is not needed."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]


_NOT_FOUND: Answer = HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"Not found. Try /health or /metrics.\n"


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_S
    pages: Pages  # of the endpoint

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        status, kind, body = page() if page else _NOT_FOUND
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Access logs are suppressed."""
