"""`python -m tests.simulation --seed N --schedules M`: run schedules again; a single one shows its trace."""

import argparse
import sys
import time

from tests.simulation.home import home
from tests.simulation.schedules import ScheduleFailed, run_schedule

PROGRESS_EVERY = 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule; the next ones count on from it")
    parser.add_argument("--schedules", type=int, default=1, help="how many")
    asked = parser.parse_args()
    started = time.monotonic()
    with home() as opened:
        for number in range(asked.schedules):
            try:
                world = run_schedule(asked.seed + number, opened)
            except ScheduleFailed as failed:
                print(*failed.trace, failed, sep="\n")
                return 1
            if asked.schedules == 1:
                print(*world.trace, sep="\n")
            if (number + 1) % PROGRESS_EVERY == 0:
                print(f"{number + 1:,} schedules in {time.monotonic() - started:.0f} s", flush=True)
    print(f"schedules run: {asked.schedules}, from seed {asked.seed}, in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
