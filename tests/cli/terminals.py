"""What commands print to a terminal, which gives it in pieces."""

import os


def read_all(terminal: int) -> bytes:
    """All that is printed until nobody holds the other end any more; closes this one."""
    printed = b""
    while True:
        try:
            chunk = os.read(terminal, 65_536)
        except OSError:  # how Linux says that nobody holds the other end any more
            chunk = b""
        if not chunk:
            os.close(terminal)
            return printed
        printed += chunk
