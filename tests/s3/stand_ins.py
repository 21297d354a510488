"""Stand-ins between the store and its server: one that cuts connections, one that only ever gives one answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_PIECE_BYTES = 16 * 1024
BUSY = "<Error><Code>SlowDownRead</Code><Message>Please reduce your request rate</Message></Error>"
_TOO_BUSY = (
    f"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: {len(BUSY)}\r\n\r\n{BUSY}".encode()
)
_BEGINNINGS = (b"GET /", b"HEAD /", b"PUT /", b"POST /", b"DELETE /")


@dataclass
class Cutter:
    """Passes everything on to a server, and cuts an answer after `after_bytes` while `cuts` are left."""

    endpoint: str
    cuts: int = 0
    after_bytes: int = 0
    begins_with: bytes = b""  # only answers to requests that begin so
    refuses: bytes = b""  # requests for bytes whose first line has this; the server is too busy for them
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def may_pass(self, request: bytes) -> bool:
        line, _, _ = request.partition(b"\r\n")
        return not (self.refuses and line.startswith(b"GET /") and self.refuses in line)

    def may_cut(self, request: bytes) -> bool:
        with self.lock:
            if not self.cuts or not request.startswith(self.begins_with):
                return False
            self.cuts -= 1
            self.done += 1
            return True


@contextmanager
def cutting(endpoint: str) -> Iterator[Cutter]:
    """A `Cutter` in front of `endpoint`."""
    at = urlsplit(endpoint)
    listener = socket.create_server(("127.0.0.1", 0))
    cutter = Cutter(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection((at.hostname, at.port))
            _pass_on(cutter, near, far)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield cutter
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _pass_on(cutter: Cutter, near: socket.socket, far: socket.socket) -> None:
    asked: list[bytes] = [b""]  # how the last request on this connection began

    def there() -> None:
        with suppress(OSError):
            while data := near.recv(_PIECE_BYTES):
                if data.startswith(_BEGINNINGS):  # else it is more of a body
                    asked[0] = data
                    if not cutter.may_pass(data):
                        near.sendall(_TOO_BUSY)
                        continue
                far.sendall(data)
        _end(near, far)

    def back() -> None:
        left: int | None = None
        with suppress(OSError):
            while data := far.recv(_PIECE_BYTES):
                if left is None and cutter.may_cut(asked[0]):
                    left = cutter.after_bytes
                if left is not None:
                    data, left = data[:left], left - len(data)
                near.sendall(data)
                if left is not None and left <= 0:
                    break
        _end(near, far)

    for way in (there, back):
        threading.Thread(target=way, daemon=True).start()


def _end(*connections: socket.socket) -> None:
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


@contextmanager
def answering(status: int, body: str, seen: Callable[[str], object]) -> Iterator[str]:
    """The endpoint of a server that gives this answer to everything; `seen` gets the first line of each request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            seen(self.requestline)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815  names of the standard library's

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
