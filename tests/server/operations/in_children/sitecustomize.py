"""Python loads this in each process that has this folder on PYTHONPATH; the next command of a server gets a fault.

HEADWATER_TEST_FAULT names a file with the arguments of `at_point`, one a line. Whoever takes the fault deletes it.
"""

import os
import sys

COMMANDS = "headwater_server.operations.child"

if COMMANDS in sys.orig_argv and "HEADWATER_TEST_FAULT" in os.environ:
    _file = os.environ["HEADWATER_TEST_FAULT"]
    if os.path.exists(_file):
        from tests.faults.at_point import install

        with open(_file, encoding="utf-8") as _open:
            _arguments = _open.read().split("\n")
        os.unlink(_file)
        install(*_arguments)
