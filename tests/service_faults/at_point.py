"""As `tests.faults.at_point`, with the points that writers and projectors pass on the servers.

The signal may also be "FREEZE": SIGSTOP, which a process cannot notice; or "SLOW": say so, and take SLOW_S longer.
"""

import os
import signal
import sys
import time

from tests.faults import at_point
from tests.support.sessions import SHORT_SESSION_S

POINTS = {
    "publishing": "headwater_blobs.s3.store:S3BlobStore.publish",
    "telling Kafka version events": "headwater_eventlog.kafka.event_topic:EventTopic.send",
    "applying a batch": "headwater_consumer.writing.runner:Projector.apply",
    "sealing": "headwater_consumer.projector.seal:_seal",
}
SLOW_S = SHORT_SESSION_S + 2  # longer than the session of a projector with a fault


class Fault(at_point._Fault):
    """Knows two things more."""

    def strike(self, moment: str) -> None:
        if self._what not in ("FREEZE", "SLOW"):
            super().strike(moment)
        elif moment == self._moment:
            self._keep_waiting()

    def _keep_waiting(self) -> None:
        if self._what == "FREEZE":
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            print('{"slow": true}', flush=True)
            time.sleep(SLOW_S)


def main() -> None:
    """Install the fault and become the script."""
    point, moment, number, what, script, *arguments = sys.argv[1:]
    at_point.POINTS.update(POINTS)
    at_point._wrap(point, Fault(moment, int(number), what))
    at_point.become(script, arguments)


if __name__ == "__main__":
    main()
