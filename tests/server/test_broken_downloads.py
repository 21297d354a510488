"""Large content that a client gets through a server: in whole pieces, however it comes and wherever that breaks."""

import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from headwater_blobs.port import CHUNK_BYTES
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, StoreNotAnswering
from headwater_schemas.object_names import file_name
from headwater_stores.config.server_address import ServerAddress
from headwater_stores.http.blobs import BREAKS_MAX, HttpBlobStore
from headwater_stores.http.connection import ServerConnection

from tests.contract.blob_stores import digest_of
from tests.server.uploads import PROJECT

CONTENT = random.Random(8).randbytes(3 * CHUNK_BYTES + 5)
DIGEST = digest_of(CONTENT)
PLACE = BlobLocation(file_name(PROJECT, DIGEST, 0), 0, len(CONTENT))
SENT_AT_ONCE = 50_001  # so that nothing that is read begins or ends where a piece does
READ_S = 0.1  # for the other end to read what was sent, which a reset takes from it
ENDS_AT_ONCE = struct.pack("ii", 1, 0)  # the other end finds the connection reset


class Breaking:
    """A server that sends `content` from where it is asked to, and resets each connection after `sent` bytes."""

    def __init__(self, content: bytes, sent: int) -> None:
        self._content, self._sent = content, sent
        self.asked = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                if not self._answer(connection):
                    time.sleep(READ_S)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ENDS_AT_ONCE)

    def _answer(self, connection: socket.socket) -> bool:
        """Whether that was all."""
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        self.asked += 1
        asked = re.search(rb"bytes=(\d+)-", request)
        start = int(asked[1]) if asked else 0
        status = "206 Partial Content" if asked else "200 OK"
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(self._content) - start}\r\n\r\n".encode())
        end = min(start + self._sent, len(self._content))
        for at in range(start, end, SENT_AT_ONCE):
            connection.sendall(self._content[at : min(at + SENT_AT_ONCE, end)])
        return end == len(self._content)


@contextmanager
def blobs_of(server: Breaking) -> Iterator[HttpBlobStore]:
    with closing(server), closing(ServerConnection(ServerAddress(url=server.url), outage_s=5.0)) as connection:
        yield HttpBlobStore(connection)


def test_content_comes_in_whole_pieces_wherever_connections_break() -> None:
    server = Breaking(CONTENT, CHUNK_BYTES * 3 // 2 + 7)
    with blobs_of(server) as blobs:
        pieces = [bytes(piece) for piece in blobs.stream(PLACE, DIGEST)]

    assert b"".join(pieces) == CONTENT
    assert [len(piece) for piece in pieces] == [CHUNK_BYTES] * 3 + [5]
    assert server.asked > 1


def test_connections_that_break_where_they_began_are_an_error_after_some() -> None:
    server = Breaking(CONTENT, 0)
    with (
        blobs_of(server) as blobs,
        pytest.raises(StoreNotAnswering, match=f"broke off {BREAKS_MAX + 1} times at byte 0 of {len(CONTENT):,}"),
    ):
        list(blobs.stream(PLACE, DIGEST))


def test_more_than_was_recorded_is_an_error() -> None:
    more = CONTENT + b"more"
    with blobs_of(Breaking(more, len(more))) as blobs, pytest.raises(BlobCorrupt, match=f"{len(more):,} were found"):
        list(blobs.stream(PLACE, DIGEST))
