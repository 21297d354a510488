"""Free ports on loopback."""

import os
import socket
from collections.abc import Iterator
from itertools import count

LOOPBACK = "127.0.0.1"

# Below the ports that the system gives to outgoing connections. In among those, a client that tries again and again
# to reach a server which is down is one day given the server's own port and talks to itself.
FIRST, LAST = 20_000, 32_000
BLOCK = 40  # each process begins to look in another block, so that two rarely choose the same before either listens

_taken = count()


def free_ports(how_many: int) -> list[int]:
    """Different ports that nobody listens on, and that this process was not told before."""
    candidates = _candidates()
    return [next(candidates) for _ in range(how_many)]


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: a closed port is free at once
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_open(port: int, *, within_s: float = 1.0) -> bool:
    """Whether somebody accepts connections there."""
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
