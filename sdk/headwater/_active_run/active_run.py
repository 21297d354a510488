"""The open runs of this process: an artifact that is filled or saved without naming a run goes where its run is.

That is the newest open run of the caller's own context: its thread, or its asyncio task. Pools of threads inherit no
context, so where there is none, the process's only open run is meant; of several, none is taken by chance.
"""

import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from headwater_schemas.errors import InvalidInput
from headwater_stores.config.settings import read_settings

if TYPE_CHECKING:
    from headwater._commit.client import Client
    from headwater._commit.pending_version import PendingVersion
    from headwater._commit.record import CommitRecord
    from headwater._run.run import Run

RUNS_SHOWN_MAX = 5  # in a message


class ActiveRun(Protocol):
    """A run that was started by this process and is not finished."""

    @property
    def client(self) -> "Client":
        """The connection to its store."""
        ...

    @property
    def namespace(self) -> str:
        """ "entity/project"."""
        ...

    @property
    def name(self) -> str:
        """ "entity/project/id"."""
        ...

    @property
    def handle(self) -> "Run":
        """What `init` returned."""
        ...

    def log(self, record: "CommitRecord") -> "PendingVersion":
        """Log a version as an output of this run. Raises: InvalidInput, StoreReadOnly."""
        ...


_open: dict[ActiveRun, int] = {}  # of the process, oldest first, with the process that started each
_own: ContextVar[tuple[ActiveRun, ...]] = ContextVar("headwater_runs", default=())  # of a context; some are over by now


def push_run(run: ActiveRun) -> None:
    """`run` is open, and from now on the active one of this context."""
    _open[run] = os.getpid()
    _own.set((*(one for one in _own.get() if one in _open), run))


def remove_run(run: ActiveRun) -> None:
    """`run` is not open any more, in no context."""
    _open.pop(run, None)


def open_runs() -> list[ActiveRun]:
    """The open runs of this process, oldest first; in a forked child that has started none, those of its parent."""
    runs = list(_open.items())
    return [run for run, process in runs if process == os.getpid()] or [run for run, _ in runs]


def active_run() -> ActiveRun | None:
    """The newest open run of this context; else the only one of this process, if there is one.

    Raises: InvalidInput naming them, where several are open and none is of this context.
    """
    own = _own_run()
    if own is not None:
        return own
    runs = open_runs()
    if len(runs) > 1:
        raise InvalidInput(
            f"several runs are open in this process, and this thread or task started none of them: {_names(runs)}. Say "
            "which one is meant, as in `run.log_artifact(artifact)`, or finish those that are over with `run.finish()`."
        )
    return runs[0] if runs else None


def client_and_namespace() -> "tuple[Client, str]":
    """Where an artifact goes that is saved now: with the active run, or else as the settings say.

    Raises: InvalidInput as `active_run`; InvalidSettings, StoreError.
    """
    from headwater._commit.client import client_for  # deferred: database

    run = active_run()
    if run is not None:
        return run.client, run.namespace
    settings = read_settings()
    return client_for(settings, create=True), f"{settings.entity}/{settings.project}"


def store_to_fill() -> "tuple[Client, str]":
    """Where the bytes of an artifact are taken that is filled now, and its most likely project.

    It needs no active run where all open runs are in one store: each of them can log it. Raises: as
    `client_and_namespace`.
    """
    runs = open_runs()
    if _own_run() is None and runs and all(run.client is runs[-1].client for run in runs):
        return runs[-1].client, runs[-1].namespace
    return client_and_namespace()


def _own_run() -> ActiveRun | None:
    return next((run for run in reversed(_own.get()) if run in _open), None)


def _names(runs: list[ActiveRun]) -> str:
    shown = ", ".join(run.name for run in runs[:RUNS_SHOWN_MAX])
    more = len(runs) - RUNS_SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown
