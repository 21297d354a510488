"""Projectors for tests: one process beside each test process, which runs one for each store that it is told of.

python -m tests.support.projector_host      reads "start JSON" and "stop NAME" lines, answers each with a line
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANSWER = "done"


class _Hosted:
    """One store's projector, in a thread."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        from headwater._config.settings import read_settings
        from headwater._stores.servers import open_log_and_database
        from headwater_consumer.service.kafka_group import kafka_group
        from headwater_consumer.service.projecting import ProjectorService

        profile = read_settings(environment).profile
        assert profile is not None
        self._opened = ExitStack()
        database, log = open_log_and_database(profile, self._opened, create=True)
        self._service = ProjectorService(log, database, kafka_group(log, f"projector-{log.generation}"))
        self._thread = threading.Thread(target=self._service.run)
        self._thread.start()

    def stop(self) -> None:
        self._service.stop()
        self._thread.join()
        self._opened.close()


def host() -> None:
    """Serve until the other end of standard input is closed."""
    logging.basicConfig(level=logging.WARNING)
    hosted: dict[str, _Hosted] = {}
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "start":
            environment = json.loads(rest)
            hosted[environment["HEADWATER_KAFKA_TOPIC"]] = _Hosted(environment)
        else:
            hosted.pop(rest).stop()
        print(ANSWER, flush=True)
    for one in hosted.values():
        one.stop()


@cache
def _host_of(process_id: int) -> "subprocess.Popen[str]":
    """`process_id` is this process's: a forked child has none, and starts its own."""
    assert process_id == os.getpid()
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.projector_host"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _tell(line: str) -> None:
    process = _host_of(os.getpid())
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    answer = process.stdout.readline().strip()
    assert answer == ANSWER, f"the projector host ended: {answer!r}"


@contextmanager
def projected(environment: Mapping[str, str]) -> Iterator[None]:
    """Somebody keeps the projection of this store up, until the end of the block."""
    _tell(f"start {json.dumps(dict(environment))}")
    try:
        yield
    finally:
        _tell(f"stop {environment['HEADWATER_KAFKA_TOPIC']}")


if __name__ == "__main__":
    host()
