"""The process of one command: `headwater`, which is interrupted when the server that it works for is gone.

`python -m headwater_server.operations.child DESCRIPTOR ARGUMENTS…`: the server holds the other end of the pipe that
DESCRIPTOR reads, and nothing else does. However the server ends, the system closes it.
"""

import os
import runpy
import signal
import sys
import threading
import time

from headwater_server.limits import INTERRUPTED_S_MAX


def main() -> None:
    """Become `headwater ARGUMENTS`."""
    descriptor, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_server, args=(int(descriptor),), name="headwater-lifeline", daemon=True).start()
    sys.argv = ["headwater", *arguments]
    runpy.run_module("headwater", run_name="__main__", alter_sys=True)


def _end_with_server(descriptor: int) -> None:
    os.read(descriptor, 1)  # nothing is ever written: this returns at the end of the server
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(INTERRUPTED_S_MAX)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
