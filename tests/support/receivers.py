"""Receivers of webhooks: small HTTP servers in threads, which check signatures by the library and answer as told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

Event = dict[str, Any]


@dataclass
class Receiver:
    """What one receiver was sent, in order. `taken` has the events that it answered with 2xx."""

    url: str = ""
    answer: Callable[[Event], int] = lambda event: 200
    words: bytes = b"thanks"
    wait_s: float = 0.0  # before each answer
    secrets: list[str] = field(default_factory=list)  # each of them must have signed; none: nothing is checked
    asked: list[Event] = field(default_factory=list)
    taken: list[Event] = field(default_factory=list)
    taken_s: list[float] = field(default_factory=list)  # when, by the monotonic clock
    headers: list[dict[str, str]] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)  # what was wrong with a signature

    def kinds(self) -> list[str]:
        """The kinds of what was taken."""
        return [kind_of(event) for event in self.taken]

    def ids(self) -> list[str]:
        return [event["id"] for event in self.taken]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, headers)
            except (WebhookVerificationError, ValueError) as error:  # the second is what the library leaks
                self.unsigned.append(repr(error))
                return 401
        event = json.loads(body)
        self.asked.append(event)
        self.headers.append(headers)
        time.sleep(self.wait_s)
        status = self.answer(event)
        if 200 <= status < 300:
            self.taken.append(event)
            self.taken_s.append(time.monotonic())
        return status


def kind_of(event: Event) -> str:
    """version-committed, and so on."""
    return str(event["type"]).split(".")[1]


@contextmanager
def receiving(receiver: Receiver | None = None, port: int = 0) -> Iterator[Receiver]:
    """A receiver at a free port, or again at one that it had."""
    receiver = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(receiver.words)))
            self.end_headers()
            self.wfile.write(receiver.words)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

        def handle(self) -> None:
            with suppress(OSError):  # the server was killed, or had waited long enough
                super().handle()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", port), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
