"""Requests that no client library would send."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

from tests.support.serving import ServerProcess

PATIENCE_S = 30.0


def connected(server: ServerProcess) -> socket.socket:
    """A connection to it."""
    at = urlsplit(server.url)
    return socket.create_connection((at.hostname, at.port), timeout=PATIENCE_S)


def sent(server: ServerProcess, *pieces: bytes) -> bytes:
    """Everything that the server answers to these bytes, until it closes the connection or says nothing more."""
    with connected(server) as connection:
        send_all(connection, pieces)
        with suppress(OSError):  # it closed the connection already
            connection.shutdown(socket.SHUT_WR)
        return received(connection)


def send_all(connection: socket.socket, pieces: Iterable[bytes]) -> bool:
    """Whether the server took all of it."""
    try:
        for piece in pieces:
            connection.sendall(piece)
    except ConnectionError:
        return False
    return True


def received(connection: socket.socket) -> bytes:
    """Until the other side ends."""
    got = bytearray()
    with suppress(ConnectionError):
        while piece := connection.recv(65_536):
            got += piece
    return bytes(got)


def statuses(answers: bytes) -> list[int]:
    """Of each answer in these bytes."""
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]
