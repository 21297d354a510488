"""Memory of this process that nobody uses any more."""

import os
from contextlib import suppress
from pathlib import Path

from headwater_runtime.pools import no_fork

# Of a process. In a larger one, what importing and connecting left behind is a small part, and the C library, which
# looks at all that is free while other threads wait for memory, takes longer.
PROCESS_BYTES_MAX = 256 * 1024 * 1024


def give_back() -> None:
    """Give freed memory back to the system where the C library can, as that of most Linux systems.

    Cost: some milliseconds, once what was given back is needed again as much.
    """
    with suppress(OSError, ImportError, AttributeError), no_fork():  # a child would inherit a half imported module
        if _resident_bytes() > PROCESS_BYTES_MAX:
            return
        import ctypes  # deferred: not every process that writes lives long enough

        ctypes.CDLL(None).malloc_trim(0)


def _resident_bytes() -> int:
    """Raises: OSError where the system does not tell."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
