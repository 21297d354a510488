"""A web server for tests whose pages misbehave as told: redirects, broken-off or compressed bodies, slow answers.

It answers proxies' requests too, which name a whole address: then it is a proxy to a site that exists nowhere else.
"""

import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Page:
    """What is answered for one path."""

    content: bytes = b""
    etag: str | None = None  # as it stands in the header, quotes included
    status: int = 200
    location: str | None = None
    coding: str | None = None  # how the content is packed
    kind: str | None = None  # its media type
    takes_ranges: bool = True
    says_length: bool = True  # else the body ends with the connection
    length: str | None = None  # what is said instead of the length
    wait_s: float = 0.0  # before the answer
    breaks: int = 0  # how many bodies end early yet
    breaks_after: int = 0  # bytes
    then: bytes | None = None  # the content, with an ETag of its own, once a body broke off


@dataclass
class Web:
    """A running server: `pages` by path, and what was `asked`."""

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # "GET /path"
    headers: list[dict[str, str]] = field(default_factory=list)  # of each request

    def put(self, path: str, page: Page) -> str:
        """Serve `page`; its address."""
        self.pages[path] = page
        return self.address + path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def do_GET(self) -> None:
        self._answer(self._page() or Page(status=404))

    def _page(self) -> Page | None:
        path = urlsplit(self.path).path
        self.web.asked.append(f"{self.command} {self.path}")
        self.web.headers.append(dict(self.headers))
        page = self.web.pages.get(path)
        if page and page.wait_s:
            time.sleep(page.wait_s)
        return page

    def _answer(self, page: Page) -> None:
        wanted = _RANGE.fullmatch(self.headers.get("Range", "")) if page.takes_ranges and page.status == 200 else None
        if wanted is None:
            self._send(page, page.status, page.content, 0, {})
            return
        size, start = len(page.content), int(wanted[1])
        if start >= size:
            self._send(page, 416, b"", 0, {"Content-Range": f"bytes */{size}"})
            return
        end = min(int(wanted[2] or size - 1), size - 1)
        told = {"Content-Range": f"bytes {start}-{end}/{size}"}
        self._send(page, 206, page.content[start : end + 1], start, told)

    def _send(self, page: Page, status: int, body: bytes, start: int, told: dict[str, str | None]) -> None:
        length = str(len(body)) if page.says_length or not body else None
        # Before anything is sent: once the client has the headers, the test may set what is to break next.
        if page.breaks and start + len(body) > page.breaks_after:
            page.breaks -= 1
            body, self.close_connection = body[: max(page.breaks_after - start, 0)], True
            then = page.then
        else:
            then = None
        self.send_response(status)
        told |= {"ETag": page.etag, "Location": page.location, "Content-Encoding": page.coding}
        told |= {"Content-Type": page.kind, "Content-Length": page.length or length}
        told["Connection"] = None if length else "close"
        for name, value in told.items():
            if value:
                self.send_header(name, value.encode().decode("latin-1"))  # written as Latin-1: UTF-8 is sent
        if then is not None:
            page.content, page.etag = then, '"another"'
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what is tested."""


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Web]:
    """A server, by TLS where there is a file with a certificate and its key."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    web = Web(f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}")
    handler.web = web  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)  # looks that often for its end
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def new_certificate(folder: Path) -> Path:
    """A certificate for this machine, signed by itself, with its key."""
    file, words = folder / "certificate.pem", ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *words]
    ended = subprocess.run([*made, "-keyout", file, "-out", folder / "cert"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    file.write_bytes(file.read_bytes() + (folder / "cert").read_bytes())
    return file
