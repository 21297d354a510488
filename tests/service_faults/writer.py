"""A user's script: log versions of one artifact, and say each one that was acknowledged.

NAME COUNT [--start N] [--large BYTES] [--entries N] [--together] [--until FILE]
    [--tries N] [--append-timeout S] [--wait S]

Each version's content depends on the arguments alone, so that the same script again is the same work again. Lines are
JSON: {"i", "name", "version", "digest", "took_s"} for what was acknowledged, {"i", "error", "text"} for what was told
instead. After an error of the store it waits on, as a patient user does.
"""

import argparse
import json
import os
import random
import sys
import time
from typing import Any

import headwater
from headwater._artifact.building import state_of
from headwater.errors import HeadwaterError, StoreError
from headwater_producer import producer

TRIES = 40  # each of them waits by itself; then a user gives up
PAUSE_S = 0.5


def report(**words: Any) -> None:
    print(json.dumps(words), flush=True)


def artifact_of(options: argparse.Namespace, i: int) -> headwater.Artifact:
    artifact = headwater.Artifact(options.name, "dataset", metadata={"number": i})
    with artifact.new_file("who.txt") as file:
        file.write(f"{options.who} {i}")
    if options.large:
        with artifact.new_file("large.bin", "wb") as large:
            large.write(random.Random(f"{options.who}/{i}").randbytes(options.large))
    if options.entries:  # all of one content: files to read would take longer than what is tried here
        content = state_of(artifact).content
        digest, size = content.files["who.txt"]
        paths = [f"{number:06}" for number in range(options.entries)]
        content.add_files(paths, [digest] * len(paths), [size] * len(paths))
    return artifact


def wait(options: argparse.Namespace, artifact: headwater.Artifact, i: int) -> None:
    """Until it is known what became of it."""
    started = time.monotonic()
    for _ in range(options.tries):
        try:
            artifact.wait()
        except StoreError as error:
            report(i=i, error=type(error).__name__, text=str(error))
            time.sleep(PAUSE_S)
        except HeadwaterError as error:
            report(i=i, error=type(error).__name__, text=str(error), final=True)
            return
        else:
            version = int(artifact.version.removeprefix("v"))
            took_s = time.monotonic() - started
            report(i=i, name=artifact.name.partition(":")[0], version=version, digest=artifact.digest, took_s=took_s)
            return


def work(options: argparse.Namespace) -> None:
    with headwater.init(id=options.who) as run:
        waiting = []
        for i in range(options.start, options.start + options.count):
            if options.until and os.path.exists(options.until):
                break
            artifact = run.log_artifact(artifact_of(options, i))
            if options.together:
                waiting.append((artifact, i))
            else:
                wait(options, artifact, i)
        for artifact, i in waiting:
            wait(options, artifact, i)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("count", type=int)
    parser.add_argument("--who", default="writer")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--entries", type=int, default=0)
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--until")
    parser.add_argument("--tries", type=int, default=TRIES)
    parser.add_argument("--append-timeout", type=float, default=producer.APPEND_TIMEOUT_S)
    parser.add_argument("--wait", type=float)
    options = parser.parse_args()
    producer.APPEND_TIMEOUT_S = options.append_timeout
    if options.wait is not None:
        os.environ["HEADWATER_WAIT_SECONDS"] = str(options.wait)
    try:
        work(options)
    except HeadwaterError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(3) from None


if __name__ == "__main__":
    main()
