"""Run a script or `headwater` that is told soon what it waits for. SCRIPT ARGUMENTS…"""

import sys

from headwater_stores.telling import waiting

from tests.faults.at_point import become

TELL_AFTER_S = 1.0


def main() -> None:
    waiting.TELL_AFTER_S = TELL_AFTER_S
    script, *arguments = sys.argv[1:]
    become(script, arguments)


if __name__ == "__main__":
    main()
