"""A projector in a process of its own: `python -m tests.projectors.process JSON`."""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from headwater_consumer.database import Database
from headwater_consumer.service import projecting, run_projector
from headwater_consumer.service.kafka_group import kafka_group
from headwater_consumer.service.process import serve
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.kafka import KafkaEventLog, KafkaGroup, KafkaSettings


def main(given: dict[str, Any]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("kafka").setLevel(logging.WARNING)
    log = KafkaEventLog.open(KafkaSettings(given["servers"], topic=given["topic"]), create=False)
    database = Database.open_postgresql(given["database"], schema=given["schema"])
    if given.get("once"):
        return run_projector(log, database, once=True)
    if given.get("suspend_in_batch"):
        before_first_batch(lambda: os.kill(os.getpid(), signal.SIGSTOP))
    if "first_batch_s" in given:
        before_first_batch(lambda: time.sleep(given["first_batch_s"]))
    if "hang_after_s" in given:
        projecting.LOG_STUCK_S = given["hang_after_s"]
        KafkaGroup.poll = lambda *_: time.sleep(3600)  # type: ignore[assignment,return-value] # as a client did
    options = {name: given[name] for name in ("session_timeout_s", "max_poll_interval_s") if name in given}
    service = ProjectorService(log, database, kafka_group(log, given["group_id"], **options))
    return serve(service, log, database, host="127.0.0.1", port=0)


def before_first_batch(act: Callable[[], object]) -> None:
    """Act once, when records are read and nothing is written."""
    apply = Projector.apply

    def acting(self: Projector, *arguments: Any) -> Any:
        Projector.apply = apply  # type: ignore[method-assign]
        print("reached the first batch", flush=True)
        act()
        return apply(self, *arguments)

    Projector.apply = acting  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
