"""Many writers, each a process with a log of what it did and was told. FOLDER COUNT

Each writes to FOLDER/N.jsonl: a line when it begins an operation, another when it knows how that ended. They go on
until FOLDER/over exists. Half of what they do are commits to a few artifacts that all of them share, the rest are reads
of the latest version, and files added to one draft that they share too, which nobody commits before they are done.
"""

import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import headwater
from headwater._commit.client import client_for
from headwater.errors import EventRejected, HeadwaterError, NotFound, StoreError
from headwater_eventlog.kafka import log as _loaded_once_for_all  # noqa: F401
from headwater_producer import producer
from headwater_schemas.entries import FileRow
from headwater_schemas.events import DraftOpened, EntryAdded, shared_draft
from headwater_stores.config.settings import read_settings

from tests.support.entries import of_rows

SHARED = ("first", "second", "third")
DRAFTED, DRAFT = "drafted", shared_draft("together")
TRIES = 20
PAUSE_S = 0.2
# Shorter than a broker's restart, so that some are told that nobody knows, and send again.
APPEND_TIMEOUT_S = 3.0
WAIT_S = 10.0


class Log:
    """What one writer did."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @contextmanager
    def operation(self, kind: str, name: str, digest: str | None = None) -> Iterator[dict[str, Any]]:
        """Say that one begins, and how it ended: what the block puts into the record."""
        record: dict[str, Any] = {"kind": kind, "name": name, "digest": digest, "outcome": "unknown"}
        self._record(begins=True, at=time.monotonic(), **record)
        try:
            yield record
        except EventRejected:
            record["outcome"] = "fail"
        except StoreError as error:
            record["text"] = str(error)
        self._record(begins=False, at=time.monotonic(), **record)

    def _record(self, **words: Any) -> None:
        self._file.write(json.dumps(words) + "\n")
        self._file.flush()


def commit(log: Log, run: headwater.Run, name: str, content: str) -> None:
    artifact = headwater.Artifact(name, "dataset")
    with artifact.new_file("who.txt") as file:
        file.write(content)
    with log.operation("commit", name, artifact.digest) as record:
        run.log_artifact(artifact)
        patiently(partial(artifact.wait, WAIT_S))
        record.update(outcome="ok", version=int(artifact.version.removeprefix("v")))


def read(log: Log, api: headwater.Api, name: str) -> None:
    with log.operation("read", name) as record:
        try:
            artifact = api.artifact(name)
        except NotFound:
            record.update(outcome="ok")
        else:
            record.update(outcome="ok", version=int(artifact.version.removeprefix("v")), digest=artifact.digest)


def add_to_draft(log: Log, project: str, path: str) -> None:
    """The SDK has no word for shared drafts yet; these are the events that it would send."""
    here = client_for(read_settings(), create=True)
    collection, stager = f"{project}/{DRAFTED}", here.stager(project)
    with log.operation("upsert", DRAFTED, path) as record:
        (digest,) = stager.ingest([path.encode()])
        place = stager.publish(project, [digest])[digest]
        row = FileRow(path, digest, len(path), place.object_name, place.offset)
        opened = DraftOpened(collection=collection, draft=DRAFT, type="dataset", base=None)
        added = EntryAdded(collection=collection, draft=DRAFT, files=of_rows([row], stager.algorithm))
        patiently(partial(here.send([opened, added]).result, WAIT_S))
        record.update(outcome="ok")


def patiently(wait: Any) -> None:
    """As a patient user waits: through an outage, to the end."""
    for left in reversed(range(TRIES)):
        try:
            wait()
        except StoreError:
            if not left:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def write(folder: Path, number: int) -> None:
    producer.APPEND_TIMEOUT_S, os.environ["HEADWATER_WAIT_SECONDS"] = APPEND_TIMEOUT_S, str(WAIT_S)
    dice, done = random.Random(number), 0
    with (folder / f"{number}.jsonl").open("w") as file, headwater.init(id=f"writer-{number}") as run:
        log, api, project = Log(file), headwater.Api(), f"{run.entity}/{run.project}"
        while not (folder / "over").exists():
            done += 1
            match dice.randrange(4):
                case 0 | 1:
                    commit(log, run, dice.choice(SHARED), f"{number} {done}")
                case 2:
                    read(log, api, dice.choice(SHARED))
                case _:
                    add_to_draft(log, project, f"{number}-{done}.txt")


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    fork = multiprocessing.get_context("fork")  # what all of them load is loaded once
    writers = [fork.Process(target=guarded, args=(folder, number)) for number in range(count)]
    for writer in writers:
        writer.start()
    print(json.dumps({"pids": [writer.pid for writer in writers]}), flush=True)
    for writer in writers:
        writer.join()
    print(json.dumps({"codes": [writer.exitcode for writer in writers]}), flush=True)


def guarded(folder: Path, number: int) -> None:
    """One line for an error: it is part of what is verified."""
    try:
        write(folder, number)
    except HeadwaterError as error:
        print(f"writer {number}: {type(error).__name__}: {error}", file=sys.stderr)
        os._exit(3)


if __name__ == "__main__":
    main()
