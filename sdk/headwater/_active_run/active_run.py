"""The stack of active runs: an artifact that is filled or saved without naming a run goes where the newest one is."""

from typing import TYPE_CHECKING, Protocol

from headwater._config.settings import read_settings

if TYPE_CHECKING:
    from headwater._commit.client import Client
    from headwater._commit.pending_version import PendingVersion
    from headwater._commit.record import CommitRecord


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

    def log(self, record: "CommitRecord") -> "PendingVersion":
        """Log a version as an output of this run. Raises: InvalidInput, StoreReadOnly."""
        ...


_active: list[ActiveRun] = []  # oldest first


def push_run(run: ActiveRun) -> None:
    """From now on `run` is the active one."""
    _active.append(run)


def remove_run(run: ActiveRun) -> None:
    """`run` is not active any more, wherever it is in the stack."""
    if run in _active:
        _active.remove(run)


def active_run() -> ActiveRun | None:
    """The newest run of this process that is not finished."""
    return _active[-1] if _active else None


def client_and_namespace() -> "tuple[Client, str]":
    """Where an artifact goes that is filled now: with the active run, or else as the settings say."""
    from headwater._commit.client import client_for  # deferred: sqlalchemy

    run = active_run()
    if run is not None:
        return run.client, run.namespace
    settings = read_settings()
    return client_for(settings, create=True), f"{settings.entity}/{settings.project}"
