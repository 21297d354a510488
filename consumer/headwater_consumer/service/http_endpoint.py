"""The status of a projector over HTTP: /health for a supervisor, /metrics for Prometheus."""

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any

from headwater_schemas.errors import InvalidSettings

from headwater_consumer.service.metrics import CONTENT_TYPE, Metrics
from headwater_consumer.service.status import BAD, ProjectorStatus
from headwater_consumer.service.watchdog import Heartbeat

HOST = "127.0.0.1"
PORT = 9464
REQUEST_S = 10.0  # for a request that is sent slowly


class HttpEndpoint:
    """Serves inside a `with` block. Port 0 is any free one; `port` is the actual one."""

    def __init__(self, status: ProjectorStatus, heartbeat: Heartbeat, *, host: str = HOST, port: int = PORT) -> None:
        """Raises: InvalidSettings when the address cannot be listened on."""
        metrics = Metrics(status, heartbeat)

        class Bound(_Handler):
            pages = {"/health": lambda: _health(status), "/metrics": lambda: (HTTPStatus.OK, metrics.text())}  # noqa: RUF012

        try:
            self._server = _Server((host, port), Bound)
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


def health(status: ProjectorStatus) -> dict[str, Any]:
    """The content of /health."""
    now = status.now
    return {
        "status": now.status.value,
        "trouble": now.trouble,
        "lag": now.lag,
        "partitions": {
            str(number): {"position": one.position, "end": one.end, "lag": one.lag, "stopped": one.stopped}
            for number, one in sorted(now.partitions.items())
        },
        "dead_letters": now.dead_letters,
        "parked_keys": now.parked_keys,
    }


def _health(status: ProjectorStatus) -> tuple[HTTPStatus, bytes]:
    content = health(status)
    code = HTTPStatus.SERVICE_UNAVAILABLE if content["status"] in BAD else HTTPStatus.OK
    return code, json.dumps(content, indent=1).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Without looking up the host's name, which may take long, and is not needed."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_S
    pages: Any = {}  # noqa: RUF012 - replaced by each endpoint

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        status, body = page() if page else (HTTPStatus.NOT_FOUND, b"Not found. Try /health or /metrics.\n")
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if self.path.startswith("/health") else CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Access logs are suppressed."""
