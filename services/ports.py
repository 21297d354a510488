"""Free ports on loopback."""

import os
import socket
from collections.abc import Iterator
from itertools import count

LOOPBACK = "127.0.0.1"

# Below the ephemeral ports. Within those, a client that retries a connection to a stopped server could be given that
# server's port as its own and connect to itself.
FIRST, LAST = 20_000, 32_000
BLOCK = 40  # each process starts in another block, so that two rarely choose the same port before either listens

_taken = count()


def free_ports(how_many: int) -> list[int]:
    """Distinct free ports that this process has not been given before."""
    candidates = _candidates()
    return [next(candidates) for _ in range(how_many)]


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_open(port: int, *, within_s: float = 1.0) -> bool:
    """Whether a server accepts connections on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=within_s).close()
    except OSError:
        return False
    return True


def _candidates() -> Iterator[int]:
    start = os.getpid() * BLOCK
    for step in _taken:
        port = FIRST + (start + step) % (LAST - FIRST)
        if is_free(port):
            yield port
