"""`headwater projector`, that is counted as gone after SESSION_S, on any free port."""

import functools
import logging
import sys

from headwater.cli import main as headwater
from headwater_consumer.service import running
from headwater_consumer.service.projecting import ProjectorService

SESSION_S = 6.0  # the shortest that a broker allows unless told otherwise
STOPPED_RETRY_S = 2.0


def main() -> None:
    logging.captureWarnings(True)
    short_lived = functools.partial(ProjectorService, session_timeout_s=SESSION_S, stopped_retry_s=STOPPED_RETRY_S)
    vars(running)["ProjectorService"] = short_lived
    sys.argv = ["headwater", "projector", "--port", "0"]
    headwater()


if __name__ == "__main__":
    main()
