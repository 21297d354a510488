"""Run a script, or `headwater`, in which something happens at a named point.

`python -m tests.faults.at_point POINT MOMENT NUMBER WHAT SCRIPT ARGUMENTS…`: at the NUMBER-th passing of POINT,
"before" or "after" it, this process sends itself the signal WHAT ("KILL", "INT"), or with "STOP" says so and waits. The
product knows nothing of this: the points are its own functions, wrapped here.
"""

import os
import runpy
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any

# Name → the function, as "module:attribute.attribute".
POINTS = {
    "making the store": "headwater._stores.folder:_create_store",
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
    "committing to the log": "headwater_eventlog.embedded:EmbeddedEventLog._commit",
    "locking the cursors": "headwater_consumer.writing.statements:locked",
    "writing the projection": "headwater_consumer.writing.working_set:WorkingSet.flush",
    "committing the projection": "headwater_consumer.database.database:Database.transaction",
    "letting go of a pack": "headwater_blobs.folder:FolderBlobStore.discard",
    "downloading": "headwater_blobs.folder:FolderBlobStore.read_many",
}
_CONTEXTS = {"committing the projection"}  # its moments are before and after the end of the block
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
            time.sleep(3600)
        os.kill(os.getpid(), signal.Signals[f"SIG{self._what}"])


def main() -> None:
    """Install the fault and become the script."""
    point, moment, number, what, script, *arguments = sys.argv[1:]
    _install(point, _Fault(moment, int(number), what))
    become(script, arguments)


def become(script: str, arguments: list[str]) -> None:
    """Run a script, or `headwater`, as if nothing was."""
    sys.argv = [script, *arguments]
    if script == "headwater":
        from headwater.cli import main as headwater

        headwater()
    else:
        runpy.run_path(script, run_name="__main__")


def _install(point: str, fault: _Fault) -> None:
    module, _, path = POINTS[point].partition(":")
    owner: Any = import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    plain = owner.__dict__[name]
    wrap = _around_context if point in _CONTEXTS else _around
    setattr(owner, name, classmethod(wrap(plain.__func__, fault)) if _is_bound(plain) else wrap(plain, fault))


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
