"""Run one server until it is told to stop: its socket, its HTTP server, and the projector where it has one."""

import ctypes
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from headwater_runtime.garbage import rare_collections
from headwater_schemas.errors import InvalidSettings
from starlette.types import ASGIApp

from headwater_server.limits import CONNECTIONS_MAX, IDLE_CONNECTION_S, STOP_S, UNSENT_S_MAX
from headwater_server.protocol import BoundedProtocol
from headwater_server.service import Service

BACKLOG = 2048
# For malloc of glibc: larger pieces than any of a transfer are mapped by themselves; so much that is free is kept.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
MAPPED_BYTES_MIN, KEPT_BYTES_MAX = 8 * 1024 * 1024, 32 * 1024 * 1024
COLLECT_EVERY = 50_000  # objects that are kept, for long: a request makes some hundred, and leaves none
SWITCH_S = 0.0005  # then a thread that works gives way to the loop; the usual 5 ms were felt by each request

_log = logging.getLogger("headwater.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server listens, and by which certificate."""

    host: str
    port: int  # 0: any free one
    tls_certificate: str | None = None
    tls_key: str | None = None

    @property
    def scheme(self) -> str:
        return "http" if self.tls_certificate is None else "https"


def check_tls(address: Address) -> None:
    """Raises: InvalidSettings naming the file that cannot be read, or is no certificate or not its key."""
    if address.tls_certificate is None:
        if address.tls_key is not None:
            raise InvalidSettings("--tls-key is of no use without --tls-certificate. Name the certificate, too.")
        return
    for path in filter(None, (address.tls_certificate, address.tls_key)):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise InvalidSettings(
                f"the TLS file {path!r} cannot be read: {error.strerror}. Correct its path."
            ) from None
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(address.tls_certificate, address.tls_key)
    except ssl.SSLError as error:
        raise InvalidSettings(
            f"{address.tls_certificate!r} is not a certificate chain in PEM with a private key that fits "
            f"({error.reason or error}). Name the key by --tls-key, or correct the files."
        ) from None


def serve(
    service: Service,
    app: ASGIApp,
    address: Address,
    listening: socket.socket,
    *,
    ready: Callable[[str], object],
) -> None:
    """Answer requests by `app` until SIGTERM or SIGINT; then answer what was taken, close streams, end within STOP_S.

    `listening`: what `listen` returned. `ready` is called with the server's URL once requests are answered. Call it in
    the main thread.
    """
    sys.setswitchinterval(SWITCH_S)
    _keep_freed_memory()
    port = listening.getsockname()[1]
    shown = f"[{address.host}]" if ":" in address.host else address.host
    server = _Server(
        _config(app, address),
        service,
        lambda: ready(f"{address.scheme}://{shown}:{port}"),
    )
    with rare_collections(COLLECT_EVERY):
        server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """Tells the service first that it stops: with an open stream, uvicorn would wait for its end."""

    def __init__(self, config: uvicorn.Config, service: Service, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._service, self._ready = service, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _log.info("Stopping; what was taken is answered, for %g s at most.", STOP_S)
        self._service.stop()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as the library calls it
        """A second signal does not wait. Not as the library has it, which ends the process by the signal itself.

        Nothing is logged here: a signal that comes while something else is being logged would be lost by that.
        """
        self.force_exit = self.should_exit
        self.should_exit = True


def _config(app: ASGIApp, address: Address) -> uvicorn.Config:
    tls: dict[str, Any] = {"ssl_certfile": address.tls_certificate, "ssl_keyfile": address.tls_key}
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,  # addresses of proxies are judged by `access`, which knows whom to trust
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=int(IDLE_CONNECTION_S),
        timeout_graceful_shutdown=int(STOP_S),
        **(tls if address.tls_certificate is not None else {}),
    )


def _keep_freed_memory() -> None:
    """Have the next piece of a transfer take the memory of the last: new pages cost a third of the transfer."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        malloc_option = ctypes.CDLL(None).mallopt
        malloc_option(_M_MMAP_THRESHOLD, MAPPED_BYTES_MIN)
        malloc_option(_M_TRIM_THRESHOLD, KEPT_BYTES_MAX)


def listen(address: Address) -> socket.socket:
    """Take the port. Clients that come before requests are answered wait. Raises: InvalidSettings."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # inherited by each connection: who reads nothing is not kept for ever
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNSENT_S_MAX * 1000))
        listening.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise InvalidSettings(
            f"cannot listen on {address.host}:{address.port} ({error}). Name another address or port; port 0 is any "
            "free one."
        ) from error
    return listening
