"""Requests to a headwater server: over connections that are kept, again where that is safe, with our errors.

Every request of the interface can be sent again: what is written carries ids by which a server knows it. So a server
that restarts in the middle is waited for, as HEADWATER_OUTAGE_SECONDS says, and people are told.

One connection is kept for each thread that needs one at the same time. A forked child begins with none: it leaves its
parent's alone. By the standard library alone, since other clients take long to import.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, TypeVar

from headwater_runtime import fork_hooks
from headwater_runtime.durations import format_seconds
from headwater_runtime.retries import Backoff
from headwater_schemas.errors import (
    HeadwaterError,
    InvalidSettings,
    StoreError,
    StoreNotAnswering,
    StoreUnavailable,
)
from headwater_schemas.problems import FORBIDDEN, UNAUTHENTICATED, error_of
from headwater_schemas.submissions import EventsRefused, Refusal

from headwater_stores.config.server_address import ServerAddress, Token
from headwater_stores.http.gathering import GatheringConnection, GatheringTlsConnection
from headwater_stores.telling.waiting import telling

if TYPE_CHECKING:
    from ssl import SSLContext

CONNECT_S = 10.0  # also for a handshake
ANSWER_S = (
    60.0  # from the end of a request to its answer, unless the request says otherwise; longer than a server waits
)
IDLE_S_MAX = 60.0  # a connection that was idle for longer is not used again: servers close them at 75 s
IDLE_MAX = 16  # connections that are kept
ANSWER_BYTES_MAX = 64 * 1024 * 1024  # of an answer that is read as a whole
PROBLEM_BYTES_MAX = 1024 * 1024
RETRY_AFTER_S_MAX = 30.0  # of what a server may ask for
BACKOFF = Backoff(pause_s_min=0.05, pause_s_max=2.0, jitter=0.5)
_AGAIN = (429, 502, 503, 504)  # of a server that is busy or restarts, or of a proxy before one
_ASKING = ("/v1/wait", "/v1/queries/")  # by POST, though nothing is written: how such paths begin,
_ASKING_CONTENTS = ("/contents/read", "/contents/stored")  # or end
_FOR_GOOD = frozenset({"read-only", "store-missing", "store-not-ours", "format-too-new", "format-too-old", "unknown"})


T = TypeVar("T")
Read = Callable[[GatheringConnection, HTTPResponse], T]


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body in pieces, made anew for each attempt."""

    pieces: Callable[[], Iterable[bytes | memoryview]]
    length: int  # bytes, of all pieces


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body, where it is JSON. Raises: StoreUnavailable."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise StoreUnavailable(
                "the server's answer is not JSON. Check that HEADWATER_URL is its address."
            ) from None


class ServerConnection:
    """One process's connections to one server. Safe to use from threads and after a fork."""

    def __init__(self, address: ServerAddress, *, outage_s: float) -> None:
        """`outage_s`: for how long the server may be away. Connects when it is first used."""
        self._address = address
        self.outage_s = outage_s
        self.name = address.url  # for messages
        self._token = Token(address)
        self._base = address.parts.path
        self._tls: SSLContext | None = None
        self._idle: list[tuple[GatheringConnection, float]] = []  # with since when; `append` and `pop` are atomic
        self._is_closed = False
        fork_hooks.register_object(self, in_child=ServerConnection._leave_to_parent)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Body | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_S,
        outage_s: float | None = None,
        answers: Collection[int] = (),
    ) -> Answer:
        """The answer to `method path`, which begins with "/v1". It is sent again while the server is away.

        `timeout_s`: how long the server may take for one attempt. `outage_s` instead of the one of this connection.
        `answers`: statuses that are no errors here. Raises: the error that the server names; StoreNotAnswering when it
        stays away.
        """

        asked = _Request(self, method, path, body, headers, timeout_s, answers)
        return asked.until_answered(self._read, self.outage_s if outage_s is None else outage_s)

    def call(self, path: str, given: object, *, timeout_s: float = ANSWER_S) -> Any:
        """The JSON that the server answers to `given` as JSON, by POST. Raises: as `request`."""
        body = json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()
        return self.request("POST", path, body, headers={"Content-Type": "application/json"}, timeout_s=timeout_s).json

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        body: bytes | Body | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_S,
    ) -> Iterator[HTTPResponse]:
        """A block with an answer whose body the caller reads, in pieces. What breaks meanwhile is an OSError or an
        HTTPException for the caller, who asks again. Raises: as `request`."""
        asked = _Request(self, method, path, body, headers, timeout_s)
        connection, response = asked.until_answered(lambda *both: both, self.outage_s)
        try:
            yield response
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, response)

    def close(self) -> None:
        """Close the connections. Closing twice is fine."""
        self._is_closed = True
        while self._idle:
            self._idle.pop()[0].close()

    # --- for requests

    def headers(self) -> dict[str, str]:
        """Who asks. Raises: InvalidSettings."""
        token = self._token.now()
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def path(self, path: str) -> str:
        """A path of the interface, as this address has it."""
        return self._base + path

    def lend(self, *, is_new: bool) -> tuple[GatheringConnection, bool]:
        """A connection, and whether it was kept, so that the server may have closed it. Raises: OSError."""
        if self._is_closed:
            raise StoreUnavailable(f"{self.name} was closed: open it again.")
        while self._idle and not is_new:
            try:
                connection, since_s = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if time.monotonic() - since_s < IDLE_S_MAX and not _is_readable(connection):
                return connection, True
            connection.close()
        connection = self._new()
        connection.connect()
        return connection, False

    def _read(self, connection: GatheringConnection, response: HTTPResponse) -> Answer:
        content = response.read(ANSWER_BYTES_MAX + 1)
        if len(content) > ANSWER_BYTES_MAX:
            raise StoreUnavailable(f"{self.name} sent more than {ANSWER_BYTES_MAX:,} bytes at once. Ask for less.")
        self._give_back(connection, response)
        return Answer(response.status, _named(response), content)

    def _give_back(self, connection: GatheringConnection, response: HTTPResponse) -> None:
        """Keep a connection whose answer was read to its end."""
        if response.isclosed() and connection.sock is not None and len(self._idle) < IDLE_MAX and not self._is_closed:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()

    def _new(self) -> GatheringConnection:
        address, host = self._address, self._address.parts.hostname or ""
        if not address.is_secure:
            return GatheringConnection(host, address.port, timeout=CONNECT_S)
        return GatheringTlsConnection(host, address.port, timeout=CONNECT_S, context=self._trusting())

    def _trusting(self) -> "SSLContext":
        import ssl  # deferred: only for https

        if self._tls is None:
            try:
                self._tls = ssl.create_default_context(cafile=self._address.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise InvalidSettings(
                    f"HEADWATER_CA_FILE names {self._address.ca_file!r}, which has no certificates that can be read "
                    f"({error}). Name a file of CA certificates in PEM."
                ) from error
        return self._tls

    def _leave_to_parent(self) -> None:
        """In a child: its copies of the sockets are closed, which their other ends do not see, and others made."""
        idle, self._idle = self._idle, []
        fork_hooks.keep_forever(idle)
        for connection, _ in idle:
            if connection.sock is not None:
                os.close(connection.sock.detach())


class _Request:
    """One request, and how it is sent again."""

    def __init__(
        self,
        server: ServerConnection,
        method: str,
        path: str,
        body: bytes | Body | None,
        headers: Mapping[str, str] | None,
        timeout_s: float,
        answers: Collection[int] = (),
    ) -> None:
        self._server = server
        self._method, self._path, self._body = method, path, body
        self._headers = headers or {}
        self._timeout_s, self._answers = timeout_s, answers
        self._trouble = f"{server.name} to answer"

    def until_answered(self, read: Read[T], outage_s: float) -> T:
        """What `read` makes of the first answer that is none of a server that is away. Raises: as `request`."""
        started_s = time.monotonic()
        retries = BACKOFF.start(deadline=started_s + outage_s)
        is_new = False  # whether the connection must be
        with ExitStack() as told:
            while True:
                try:
                    return self._once(read, is_new=is_new)
                except _AskAgain:
                    is_new = True
                except _Away as away:
                    self._trouble = f"{self._server.name}: {away.error}"
                    if not retries.failures:
                        told.enter_context(telling(lambda: self._trouble))
                    if not retries.pause(away.retry_after_s):
                        raise self._given_up(away, time.monotonic() - started_s) from away.__cause__

    def _once(self, read: Read[T], *, is_new: bool) -> T:
        server = self._server
        try:
            connection, was_kept = server.lend(is_new=is_new)
        except OSError as error:
            raise self._not_connected(error) from error
        try:
            response = self._sent(connection)
            if response.status >= 300 and response.status not in self._answers:
                self._raise_problem(response)
            return read(connection, response)
        except (OSError, HTTPException) as error:
            connection.close()
            if was_kept and not isinstance(error, TimeoutError):
                raise _AskAgain from error  # the server had closed it, most likely
            raise _Away(StoreNotAnswering(f"{server.name} broke off ({_words(error)}).")) from error
        except BaseException:
            connection.close()
            raise

    def _sent(self, connection: GatheringConnection) -> HTTPResponse:
        assert connection.sock is not None
        connection.sock.settimeout(self._timeout_s)
        headers = {**self._server.headers(), **self._headers}
        body: Any = self._body
        if isinstance(body, Body):
            headers["Content-Length"] = str(body.length)
            body = iter(body.pieces())
        with suppress(BrokenPipeError):  # the answer came before all was sent
            connection.request(self._method, self._server.path(self._path), body, headers)
            connection.flush()
        return connection.getresponse()

    def _raise_problem(self, response: HTTPResponse) -> None:
        """Raises: the error that the answer names; _Away where the same may be answered soon."""
        problem = _problem_in(response.read(PROBLEM_BYTES_MAX))
        word, message = str(problem.get("reason", "")), str(problem.get("detail", ""))
        if response.status in _AGAIN and word not in _FOR_GOOD:
            error = error_of(word, message) or StoreNotAnswering(message or f"it answered {response.status}.")
            raise _Away(error, _retry_after_s(response))
        if "refused" in problem:
            raise EventsRefused(_refusals(problem["refused"]))
        if response.status == 401 or word == UNAUTHENTICATED:
            step = str(problem.get("next_step", ""))
            raise TokenRefused(message or self._not_let_in(), found=message.removesuffix(step).strip())
        known = error_of(FORBIDDEN if response.status == 403 and not word else word, message)
        raise known or _unexpected(self._server.name, response, message)

    def _not_let_in(self) -> str:
        return f"{self._server.name} wants a token that counts. Set HEADWATER_TOKEN to one, or run `headwater login`."

    def _not_connected(self, error: OSError) -> HeadwaterError:
        import ssl  # deferred: an error is rare, and http.client has it loaded

        if isinstance(error, ssl.SSLCertVerificationError):
            return InvalidSettings(
                f"the certificate of {self._server.name} is not trusted ({error.verify_message}). Set "
                "HEADWATER_CA_FILE to the CA certificate that the server's is of, or correct HEADWATER_URL."
            )
        if isinstance(error, ssl.SSLError):
            return InvalidSettings(
                f"{self._server.name} does not speak TLS as this client does ({_words(error)}). Check HEADWATER_URL."
            )
        return _Away(StoreNotAnswering(f"{self._server.name} cannot be reached ({_words(error)})."))

    def _given_up(self, away: "_Away", tried_s: float) -> HeadwaterError:
        if not isinstance(away.error, StoreNotAnswering):
            return away.error
        tried = f"It was tried for {format_seconds(tried_s)}"
        if _may_write(self._method, self._path):
            tried += "; what was being written may be stored"
        return StoreNotAnswering(
            f"{away.error} {tried}. Try again; HEADWATER_OUTAGE_SECONDS sets for how long a server that is away is "
            "waited for."
        )


class TokenRefused(InvalidSettings):
    """The server does not take the token, or wants one."""

    def __init__(self, message: str, *, found: str) -> None:
        """`found`: what the server found, without what to do about it; empty where it did not say."""
        super().__init__(message)
        self.found = found


class _AskAgain(Exception):
    """At once, by another connection."""


class _Away(HeadwaterError):
    """The server cannot be reached, or says that the same may work soon."""

    def __init__(self, error: HeadwaterError, retry_after_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.retry_after_s = error, retry_after_s


def _may_write(method: str, path: str) -> bool:
    return method != "GET" and not path.startswith(_ASKING) and not path.endswith(_ASKING_CONTENTS)


def _problem_in(body: bytes) -> Mapping[str, Any]:
    """The problem that an answer is; nothing where it is none of ours."""
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _refusals(found: Any) -> list[Refusal]:
    """Why events are not taken. Raises: StoreUnavailable for what is no such list."""
    try:
        return [Refusal.of_json(one) for one in found] or [Refusal.of_json({})]
    except (KeyError, TypeError, ValueError):
        raise StoreUnavailable("the server's answer is not understood by this release. Upgrade headwater.") from None


def _unexpected(name: str, response: HTTPResponse, message: str) -> StoreError:
    to = response.getheader("Location")
    what = f"is somewhere else, {to[:200]!r}" if to is not None else f"answered {response.status} {response.reason}"
    return StoreUnavailable(f"{name} {what}. {message or 'Check that HEADWATER_URL is the address of a server.'}")


def _retry_after_s(response: HTTPResponse) -> float:
    text = response.getheader("Retry-After") or ""
    return float(text) if text.isdecimal() and len(text) < 9 else 0.0


def _named(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _is_readable(connection: GatheringConnection) -> bool:
    """Whether an idle connection has something to read: the end of it, since nothing was asked."""
    sock = connection.sock
    if sock is None:
        return True
    try:
        sock.setblocking(False)
        sock.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, ValueError):  # nothing to read; by TLS it cannot be peeked at
        return False
    except OSError:
        return True
    return True


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
