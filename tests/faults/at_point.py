"""Run a script, or `headwater`, in which something happens at a named point.

`python -m tests.faults.at_point POINT MOMENT NUMBER WHAT SCRIPT ARGUMENTS…`: at the NUMBER-th passing of POINT,
"before" or "after" it, this process sends itself the signal WHAT ("KILL", "INT"), or with "STOP" says so and waits.
With "SLEEP" it says nothing for some seconds, and goes on. With "PAUSE" it says so and is stopped by SIGSTOP, until
somebody sends it SIGCONT. The product knows nothing of this: the points are its own functions, wrapped
here.
"""

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any

# Name → the function, as "module:attribute.attribute".
POINTS = {
    "making the store": "headwater_stores.folder:_create_store",
    "making the log": "headwater_eventlog.embedded:create_log",
    "making the blob store": "headwater_blobs.folder:FolderBlobStore.open",
    "making the projection": "headwater_consumer.database.database:Database._create_tables",
    "taking a pack": "headwater_blobs.folder:FolderBlobStore.stage_pack",
    "taking a large file": "headwater_blobs.folder:FolderBlobStore.stage_file",
    "ingesting a large file": "headwater_producer.stager:BlobStager.ingest_file",
    "caching a scan": "headwater._ingest.stat_cache:StatCache.store_scan",
    "storing": "headwater_blobs.folder:FolderBlobStore.publish",
    "publishing": "headwater_producer.stager:BlobStager.publish",
    "stamping": "headwater_producer.producer:Producer.send",
    "appending": "headwater_eventlog.embedded:EmbeddedEventLog.append",
    "appending to a restored log": "headwater_eventlog.new_embedded:NewEmbeddedLog.append_packed",
    "committing to the log": "headwater_eventlog.embedded:EmbeddedEventLog._commit",
    "putting the restored log in place": "headwater_stores.new_logs:NewFolderLog._put_in_place",
    "locking the cursors": "headwater_consumer.writing.statements:locked",
    "writing the projection": "headwater_consumer.writing.working_set:WorkingSet.flush",
    "committing the projection": "headwater_consumer.database.database:Database.transaction",
    "letting go of a pack": "headwater_blobs.folder:FolderBlobStore.discard",
    "sending a part": "headwater_blobs.s3.uploads:send",
    "completing an upload": "headwater_blobs.s3.uploads:complete",
    "publishing in a bucket": "headwater_blobs.s3.store:S3BlobStore.publish",
    "reading from a bucket": "headwater_blobs.s3.store:S3BlobStore.read_many",
    "deleting from a bucket": "headwater_blobs.s3.store:S3BlobStore.delete",
    "making the topic": "headwater_eventlog.kafka.log:KafkaEventLog.create",
    "listing ancestors": "headwater_eventlog.kafka.log:_list_ancestors",
    "appending to Kafka": "headwater_eventlog.kafka.log:KafkaEventLog.append",
    "trimming": "headwater_eventlog.kafka.log:KafkaEventLog.delete_before",
    "archiving in a folder": "headwater_blobs.file_places:FolderPlace.put",
    "archiving in a bucket": "headwater_blobs.s3.file_place:BucketPlace.put",
    "noting an archive elsewhere": "headwater_consumer.archive.archive:Archive.note_elsewhere",
    "discarding idle drafts": "headwater_consumer.maintenance.idle_drafts:discard_idle_drafts",
    "finishing broadcasts": "headwater_consumer.maintenance.broadcasts:finish_broadcasts",
    "retiring sessions": "headwater_consumer.maintenance.old_sessions:retire_sessions",
    "counting what takes up room": "headwater.cli.kept_usage:count_large_projects",
    "purging": "headwater_consumer.maintenance.collection:Collector._purge",
    "rewriting a pack": "headwater_consumer.maintenance.rewriting:PackRewriter.flush",
    "condemning": "headwater_consumer.maintenance.collection:Collector._condemn",
    "looking at all objects": "headwater_consumer.maintenance.collection:Collector._sweep",
    "deleting what is condemned": "headwater_consumer.maintenance.collection:Collector._delete_condemned",
    "remembering a collection": "headwater_consumer.maintenance.collected:Collected.save",
    "replaying": "headwater_consumer.writing.replay:_project",
    "comparing projections": "headwater_consumer.writing.replay:_differing",
    "replacing the projection": "headwater_stores.maintenance:_note_seen",
    "fetching": "headwater._download.fetch:Fetcher._fetch_small",
    "downloading": "headwater_blobs.folder:FolderBlobStore.read_many",
}
_CONTEXTS = {"committing the projection"}  # its moments are before and after the end of the block
SLEEP_S = 4.0
STOPPED = "stopped"  # what is said by one who waits


class _Fault:
    """Counts, and strikes once."""

    def __init__(self, moment: str, number: int, what: str) -> None:
        self._moment = moment
        self._number = number
        self._what = what
        self._passed = 0

    def begins(self) -> bool:
        """Whether this passing is the one."""
        self._passed += 1
        return self._passed == self._number

    def strike(self, moment: str) -> None:
        """Do it, if this is the moment."""
        if moment != self._moment:
            return
        if self._what == "STOP":
            print(STOPPED, flush=True)
            while True:  # a signal that comes just before a sleep begins does not end it
                time.sleep(SLEEP_S)
        if self._what == "SLEEP":
            time.sleep(SLEEP_S)
            return
        if self._what == "PAUSE":
            print(STOPPED, flush=True)
            # To this thread: were another one woken for it, this one would go on until then.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
            return
        os.kill(os.getpid(), signal.Signals[f"SIG{self._what}"])


def main() -> None:
    """Install the fault and become the script."""
    point, moment, number, what, script, *arguments = sys.argv[1:]
    install(point, moment, number, what)
    become(script, arguments)


def install(point: str, moment: str, number: str, what: str) -> None:
    """Have it happen in this process."""
    _wrap(point, _Fault(moment, int(number), what))


def become(script: str, arguments: list[str]) -> None:
    """Run a script, or `headwater`, as if nothing was."""
    sys.argv = [script, *arguments]
    if script == "headwater":
        from headwater.cli import main as headwater

        headwater()
    else:
        runpy.run_path(script, run_name="__main__")


def _wrap(point: str, fault: _Fault) -> None:
    owner, name = owner_and_name(POINTS[point])
    plain = owner.__dict__[name]
    wrap = _around_context if point in _CONTEXTS else _around
    setattr(owner, name, classmethod(wrap(plain.__func__, fault)) if _is_bound(plain) else wrap(plain, fault))


def owner_and_name(function: str) -> tuple[Any, str]:
    """The module or class that has a function, as `POINTS` names it, and its name there."""
    module, _, path = function.partition(":")
    owner: Any = import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    return owner, name


def _is_bound(function: object) -> bool:
    return isinstance(function, classmethod)


def _around(function: Callable[..., Any], fault: _Fault) -> Callable[..., Any]:
    @wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        if not fault.begins():
            return function(*arguments, **options)
        fault.strike("before")
        result = function(*arguments, **options)
        fault.strike("after")
        return result

    return wrapped


def _around_context(function: Callable[..., Any], fault: _Fault) -> Callable[..., Any]:
    @contextmanager
    @wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Iterator[Any]:
        strikes = fault.begins()
        with function(*arguments, **options) as entered:
            yield entered
            if strikes:
                fault.strike("before")
        if strikes:
            fault.strike("after")

    return wrapped


if __name__ == "__main__":
    main()
