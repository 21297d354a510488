"""Projectors for tests: one process beside each test process, which projects every store that it is told of.

It reads the partitions of all topics with one consumer, without a group: joining and leaving one costs more than most
tests. Groups are tested in tests/kafka and tests/projectors.

python -m tests.support.projector_host      reads "start JSON" and "stop NAME" lines, answers each with a line
"""

import json
import logging
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANSWER = "done"


def host() -> None:
    """Serve until the other end of standard input is closed."""
    from tests.support.projecting import ProjectedStores

    logging.basicConfig(level=logging.WARNING)
    stores = ProjectedStores()
    while True:
        if stores.are_any and not select.select([sys.stdin.buffer], [], [], 0)[0]:
            stores.project()
            continue
        if not (line := sys.stdin.buffer.readline().decode()):
            return
        word, _, rest = line.strip().partition(" ")
        if word == "start":
            asked = json.loads(rest)
            stores.start(asked["environment"], asked["generation"])
        else:
            stores.stop(rest)
        print(ANSWER, flush=True)


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


def _send(line: str) -> None:
    process = _host_of(os.getpid())
    if process.poll() is not None:  # the test that saw it end has failed; the others need not
        _host_of.cache_clear()
        process = _host_of(os.getpid())
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    answer = process.stdout.readline().strip()
    assert answer == ANSWER, f"the projector host ended: {answer!r}"


@contextmanager
def projected(environment: Mapping[str, str], generation: str | None = None) -> Iterator[None]:
    """The projection of this store is kept up until the end of the block.

    `generation` is that of the topic, which is made where it is not given and there is none.
    """
    _send(f"start {json.dumps({'environment': dict(environment), 'generation': generation})}")
    try:
        yield
    finally:
        _send(f"stop {environment['HEADWATER_KAFKA_TOPIC']}")


if __name__ == "__main__":
    host()
