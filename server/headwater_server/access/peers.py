"""Which user is at the other end of a connection within this machine, where the system tells: Linux does."""

import sys
from pathlib import Path
from socket import inet_aton

CONNECTIONS = Path("/proc/net/tcp")  # proc_net_tcp(5): of IPv4
_LOCAL, _REMOTE, _USER = 1, 2, 7  # its columns

Address = tuple[str, int]  # of IPv4, and a port


def user_of(client: Address, server: Address) -> int | None:
    """The number of the user whose process `client` is, in a connection to `server`; None where that is not told.

    Cost: the system lists all connections of the machine.
    """
    ends = [_as_listed(client), _as_listed(server)]
    try:
        with CONNECTIONS.open() as listed:
            for line in listed:
                columns = line.split()
                if [columns[_LOCAL], columns[_REMOTE]] == ends:
                    return int(columns[_USER])
    except OSError:  # another system
        pass
    return None


def _as_listed(address: Address) -> str:
    host, port = address
    return f"{int.from_bytes(inet_aton(host), sys.byteorder):08X}:{port:04X}"
