"""headwater that gets SIGTERM while it writes a certain line of its log: `python -m … ARGUMENTS`."""

import io
import os
import signal
import sys
from typing import Any

from headwater.cli import main

PROGRAM = __name__ if __name__ != "__main__" else "tests.server.stopped_while_logging"
LINE = b"runs headwater gc"


class _Log(io.RawIOBase):
    """Standard error. Whoever writes to it in the handler of the signal calls it within itself."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        line = bytes(data)
        if LINE in line:
            os.kill(os.getpid(), signal.SIGTERM)
        return os.write(2, line)


if __name__ == "__main__":
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(_Log()), line_buffering=True)
    main()
