"""Runs that record nothing: each has a store of its own in a temporary folder.

The folder is deleted when the process ends, or when the run is over and the process starts another disabled run.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from headwater_schemas.errors import NotFound
from headwater_stores.config.settings import Settings, read_settings

from headwater._active_run.active_run import open_runs
from headwater._artifact.artifact import Artifact
from headwater._artifact.building import state_of
from headwater._artifact.lookup import check_expected_type, find_artifact
from headwater._commit.client import client_for, forget_store
from headwater._commit.process_exit import call_at_exit
from headwater._run.run import Run

_made: dict[int, list[Settings]] = {}  # by process: a forked child has its own


def settings_of_throwaway_store() -> Settings:
    """The settings, with a new store that will be deleted, and with nothing said about what is logged."""
    process = os.getpid()
    if process not in _made:
        _made[process] = []
        call_at_exit(partial(_delete_unused, process, at_exit=True))  # the clients, made later, are closed first
    _delete_unused(process)
    folder = tempfile.mkdtemp(prefix="headwater-disabled-")
    settings = replace(read_settings(url=folder), quiet=True)
    _made[process].append(settings)
    return settings


def _delete_unused(process: int, *, at_exit: bool = False) -> None:
    if process != os.getpid():  # this is a fork of it
        return
    used = set() if at_exit else {run.client.url for run in open_runs()}
    for settings in [one for one in _made[process] if one.url not in used]:
        forget_store(settings.url)
        shutil.rmtree(settings.store, ignore_errors=True)
        _made[process].remove(settings)


class DisabledRun(Run):
    """A run of `init(mode="disabled")`: it can also use what is in the store of the settings, and records no use."""

    def __init__(self, url: str | os.PathLike[str] | None, *arguments: Any, **options: Any) -> None:
        """`url` is the store that is read, instead of that of the settings."""
        super().__init__(*arguments, **options)
        self._url = url

    def use_artifact(
        self,
        artifact: Artifact | str,
        type: str | None = None,
        aliases: Iterable[str] | None = None,
        use_as: str | None = None,
    ) -> Artifact:
        """As `Run.use_artifact`. What is in the store of the settings is returned, and nothing is recorded or moved."""
        if isinstance(artifact, Artifact):
            if self._is_elsewhere(artifact):
                check_expected_type(artifact, type)
                return artifact
            return super().use_artifact(artifact, type, aliases, use_as)
        try:
            return super().use_artifact(artifact, type, aliases, use_as)
        except NotFound:
            client = client_for(read_settings(url=self._url), create=False)
            found = find_artifact(client, artifact, self.entity, self.project)
            check_expected_type(found, type)
            return found

    def _is_elsewhere(self, artifact: Artifact) -> bool:
        return state_of(artifact).is_elsewhere(self._writer.client)
