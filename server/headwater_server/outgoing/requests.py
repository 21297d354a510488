"""One POST to a receiver that a user named. See the package for what holds of it."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from headwater_server.outgoing.addresses import Address, AddressRules, parse_address

CONNECT_S = 5.0  # to one address, TLS included
REQUEST_S = 15.0  # from the look-up of the name to the answer
BODY_S = 1.0  # for what is kept of the answer, once its status is known
RESOLVER_THREADS = 32  # look-ups of names at once
ADDRESSES_MAX = 4  # of one name that are tried
KEPT_BYTES_MAX = 1024  # of an answer's body; more is not read
READ_BYTES_MAX = 64 * 1024  # of an answer, head included
HEAD_BYTES_MAX = 16 * 1024

_PIECE = 4096


class NotReached(Exception):
    """There is no answer. The message says why, for the one who named the receiver."""


class AddressRefused(NotReached):
    """The receiver is somewhere where requests of this server do not go."""


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """What a receiver answered."""

    status: int
    retry_after: str | None  # as it was sent
    body: bytes  # its first KEPT_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Receiver:
    """The parts of a URL that `webhooks.check_url` took."""

    host: str  # without brackets
    port: int
    is_tls: bool
    host_header: str
    target: str

    @classmethod
    def of(cls, url: str) -> "Receiver":
        """The parts of a URL."""
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        assert parts.hostname is not None
        return cls(parts.hostname, parts.port or (443 if is_tls else 80), is_tls, parts.netloc, target)


class Requests:
    """Makes requests in one event loop. Bounds how long each takes; how many there are at once is for the caller."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules
        self._tls = ssl.create_default_context()
        self._resolver = ThreadPoolExecutor(RESOLVER_THREADS, "headwater-resolver")

    def close(self) -> None:
        """End the threads that look up names, without waiting for them."""
        self._resolver.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> ReceiverAnswer:
        """Send one request. Raises: NotReached where no answer came within REQUEST_S, or none that is HTTP."""
        receiver = Receiver.of(url)
        try:
            async with asyncio.timeout(REQUEST_S):
                reader, writer = await self._connected(receiver)
                try:
                    return await _exchange(reader, writer, _head(receiver, headers, body), body)
                finally:
                    writer.transport.abort()  # nothing more is wanted of it, nor waited for
        except TimeoutError:
            raise NotReached(f"no answer within {REQUEST_S:g} s") from None
        except h11.RemoteProtocolError as error:
            raise NotReached(f"the answer is not HTTP: {error}") from None
        except OSError as error:
            raise NotReached(f"the connection broke: {_words(error)}") from None

    async def _connected(self, receiver: Receiver) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        addresses = await self._resolved(receiver)
        allowed = [address for address in addresses if self._rules.allow(receiver.host, address)]
        if not allowed:
            raise AddressRefused(
                f"{receiver.host} is at an address that is not public, where this server sends nothing unless it was "
                "started with --webhook-allow"
            )
        failed: NotReached | None = None
        for address in allowed[:ADDRESSES_MAX]:
            try:
                return await self._connected_to(receiver, address)
            except NotReached as error:
                failed = error
        assert failed is not None
        raise failed

    async def _resolved(self, receiver: Receiver) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        ask = (receiver.host, receiver.port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        try:
            found = await loop.run_in_executor(self._resolver, lambda: socket.getaddrinfo(*ask))
        except (OSError, UnicodeError) as error:
            raise NotReached(f"{receiver.host} has no address: {_words(error)}") from None
        return list(dict.fromkeys(parse_address(str(sockaddr[0])) for *_, sockaddr in found))

    async def _connected_to(
        self, receiver: Receiver, address: Address
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to exactly this address; the certificate must be the host's."""
        tls = {"ssl": self._tls, "server_hostname": receiver.host} if receiver.is_tls else {}
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(str(address), receiver.port, limit=_PIECE, **tls)  # type: ignore[arg-type]
        except TimeoutError:
            raise NotReached(f"{receiver.host} does not take the connection within {CONNECT_S:g} s") from None
        except ssl.SSLError as error:
            raise NotReached(f"{receiver.host} does not prove by TLS who it is: {_words(error)}") from None
        except OSError as error:
            raise NotReached(f"{receiver.host} cannot be connected to: {_words(error)}") from None


def _head(receiver: Receiver, headers: Mapping[str, str], body: bytes) -> h11.Request:
    fixed = {"Host": receiver.host_header, "Content-Length": str(len(body)), "Connection": "close"}
    return h11.Request(method="POST", target=receiver.target, headers=[*{**headers, **fixed}.items()])


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: h11.Request, body: bytes
) -> ReceiverAnswer:
    """Raises: h11.RemoteProtocolError, OSError, NotReached."""
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
    sent = (http.send(head), http.send(h11.Data(data=body)), http.send(h11.EndOfMessage()))
    writer.write(b"".join(piece for piece in sent if piece is not None))
    await writer.drain()
    answer = _Reading(reader, http)
    response = await answer.head()
    kept = bytearray()
    with suppress(TimeoutError, OSError, h11.RemoteProtocolError, NotReached):  # the status is what counts
        async with asyncio.timeout(BODY_S):
            while len(kept) < KEPT_BYTES_MAX and isinstance(event := await answer.event(), h11.Data):
                kept += event.data
    retry_after = next((value.decode("latin-1") for name, value in response.headers if name == b"retry-after"), None)
    return ReceiverAnswer(response.status_code, retry_after, bytes(kept[:KEPT_BYTES_MAX]))


class _Reading:
    """Parses an answer as its bytes come, READ_BYTES_MAX of them at most."""

    def __init__(self, reader: asyncio.StreamReader, http: h11.Connection) -> None:
        self._reader, self._http = reader, http
        self._left = READ_BYTES_MAX

    async def head(self) -> h11.Response:
        """The head of the final answer."""
        while isinstance(event := await self.event(), h11.InformationalResponse):
            pass
        if not isinstance(event, h11.Response):
            raise NotReached("the connection ended without an answer")
        return event

    async def event(self) -> h11.Event:
        """The next part."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            piece = await self._reader.read(_PIECE)
            self._left -= len(piece)
            if self._left < 0:
                raise NotReached(f"the answer is longer than {READ_BYTES_MAX:,} bytes")
            self._http.receive_data(piece)
        assert isinstance(event, h11.Event)
        return event


def _words(error: Exception) -> str:
    """What went wrong, in the words of the system."""
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
