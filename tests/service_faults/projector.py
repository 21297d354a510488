"""`headwater projector`, that is counted as gone after so many seconds, on any free port. SECONDS"""

import functools
import logging
import sys

from headwater.cli import main as headwater
from headwater_consumer.service import process
from headwater_consumer.service.kafka_group import kafka_group
from headwater_consumer.service.projecting import ProjectorService

STOPPED_RETRY_S = 2.0


def main() -> None:
    logging.captureWarnings(True)
    vars(process)["ProjectorService"] = functools.partial(ProjectorService, stopped_retry_s=STOPPED_RETRY_S)
    vars(process)["kafka_group"] = functools.partial(kafka_group, session_timeout_s=float(sys.argv[1]))
    sys.argv = ["headwater", "projector", "--port", "0"]
    headwater()


if __name__ == "__main__":
    main()
