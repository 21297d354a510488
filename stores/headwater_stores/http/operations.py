"""Commands for the whole store that a server runs for its operators, and sends back what they write."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import IO
from urllib.parse import urlencode

from headwater_blobs.port import CHUNK_BYTES
from headwater_schemas.errors import InvalidFile, StoreNotAnswering, StoreUnavailable
from headwater_schemas.operations import CONTENT, END, ERRORS, FILE_MEDIA_TYPE, OUTPUT, End, Frames

from headwater_stores.config.server_address import ServerAddress
from headwater_stores.http.connection import Body, ServerConnection
from headwater_stores.telling.progress import Progress

PIECE_BYTES = 256 * 1024  # that are taken from a connection at once
SILENCE_S = 60.0  # a server shows a sign of life every 15 s; without one for so long, the connection is broken

Options = Mapping[str, object]  # as the document of the interface names them
Take = Callable[[bytes], object]  # takes a piece of what a command writes


def nowhere(piece: bytes) -> None:
    """Takes what nobody wants."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What takes each kind of what a command writes."""

    output: Take
    errors: Take
    content: Take = nowhere  # the file that it makes


class ServerOperations:
    """Has a server run commands. Each ends as the server said; one that it did not say is an error, never a success."""

    def __init__(self, address: ServerAddress, *, outage_s: float, quiet: bool) -> None:
        """`outage_s`: for how long the server may be away before a command begins."""
        self._address, self._outage_s, self._quiet = address, outage_s, quiet

    def check(self) -> None:
        """Ask whether this client may have commands run. Raises: EventRejected where not; as `run`."""
        with closing(ServerConnection(self._address, outage_s=self._outage_s)) as server:
            server.request("GET", "/v1/operations")

    def run(self, name: str, options: Options, outputs: Outputs) -> int:
        """The exit code of a command. Raises: EventRejected for who is no operator; StoreNotAnswering, also where the
        server interrupted it or the connection broke: then it may have ended in the middle."""
        body = json.dumps({**options, "quiet": self._quiet}, ensure_ascii=False).encode()
        return self._run(name, f"/v1/operations/{name}", body, outputs, media_type="application/json")

    def run_on(self, file: IO[bytes], name: str, options: Options, outputs: Outputs) -> int:
        """As `run`, for a command that takes a file, which can seek; it is sent from where it is, to who takes it."""
        self.check()
        given = {key: _text(value) for key, value in {**options, "quiet": self._quiet}.items() if value is not None}
        path = f"/v1/operations/{name}?{urlencode(given)}"
        return self._run(name, path, self._body_of(file), outputs, media_type=FILE_MEDIA_TYPE)

    def _run(self, name: str, path: str, body: bytes | Body, outputs: Outputs, *, media_type: str) -> int:
        with (
            closing(ServerConnection(self._address, outage_s=self._outage_s)) as server,
            server.stream("POST", path, body, headers={"Content-Type": media_type}, timeout_s=SILENCE_S) as response,
        ):
            takes = {OUTPUT: outputs.output, ERRORS: outputs.errors, CONTENT: outputs.content}
            for kind, payload in self._frames(response, name):
                if kind == END:
                    return self._code(End.decode(payload), name)
                takes.get(kind, nowhere)(payload)
        raise self._broke_off(name, "it ended its answer too soon")

    def _frames(self, response: HTTPResponse, name: str) -> Iterator[tuple[bytes, bytes]]:
        """Raises: StoreNotAnswering. What fails with a piece is not caught here."""
        frames = Frames()
        while True:
            try:
                piece = response.read1(PIECE_BYTES)
            except (OSError, HTTPException) as error:
                raise self._broke_off(name, _words(error)) from error
            if not piece:
                return
            yield from frames.take(piece)

    def _code(self, end: End, name: str) -> int:
        if end.interrupted is not None:
            raise StoreNotAnswering(
                f"{self._address.url} interrupted `headwater {name}`: {end.interrupted}. Completed work is kept; run "
                "the command again to continue."
            )
        if end.code < 0:
            raise StoreUnavailable(
                f"`headwater {name}` was ended by signal {-end.code} at {self._address.url}. Completed work is kept; "
                "run the command again, and look at the server's machine if that happens once more."
            )
        return end.code

    def _broke_off(self, name: str, why: str) -> StoreNotAnswering:
        return StoreNotAnswering(
            f"the connection to {self._address.url} broke ({why}) before `headwater {name}` had ended there. It is "
            "interrupted, or has ended meanwhile; completed work is kept. Run the command again."
        )

    def _body_of(self, file: IO[bytes]) -> Body:
        begin = file.tell()
        size = file.seek(0, os.SEEK_END) - begin

        def pieces() -> Iterator[bytes]:
            file.seek(begin)
            with Progress("sending", total=size, unit="B", quiet=self._quiet) as progress:
                left = size
                while left:
                    piece = file.read(min(CHUNK_BYTES, left))
                    if not piece:
                        raise InvalidFile(f"the file became {left:,} bytes shorter while it was sent. Send it again.")
                    yield piece
                    left -= len(piece)
                    progress.advance(len(piece))

        return Body(pieces, size)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came for {SILENCE_S:g} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
