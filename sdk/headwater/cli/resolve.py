"""Opens the store and finds the versions that a command line names."""

import dataclasses
from typing import TYPE_CHECKING

import click
from headwater_schemas.names import ArtifactReference, CollectionName, check_name
from headwater_stores.config.settings import Settings, read_settings

from headwater.cli.output import report_empty

if TYPE_CHECKING:
    from headwater_stores.catching_up import ReadableStore, StoreReader

    from headwater._artifact.artifact import Artifact
    from headwater._commit.client import Client


def settings_for(entity: str | None, project: str | None) -> Settings:
    """The settings with `--entity` and `--project` applied. Raises: InvalidSettings, InvalidName."""
    settings = read_settings()
    return dataclasses.replace(
        settings,
        entity=settings.entity if entity is None else check_name(entity, "entity"),
        project=settings.project if project is None else check_name(project, "project"),
    )


def open_store(entity: str | None, project: str | None, *, create: bool = False) -> "tuple[Client, Settings]":
    """A client that has caught up with the log, and the settings with `--entity` and `--project` applied.

    Where there is no store and `create` is not set, nothing is found in it. Raises: StoreUnavailable; InvalidName.
    """
    from headwater._commit.client import client_for  # deferred: database

    settings = settings_for(entity, project)
    client = client_for(settings, create=create)
    client.catch_up()
    return client, settings


def open_reader(entity: str | None, project: str | None) -> "tuple[StoreReader, Settings]":
    """As `open_store`, for commands that only read; closed at the end of the command."""
    from headwater_stores.catching_up import StoreReader  # deferred: database

    settings = settings_for(entity, project)
    reader = StoreReader(settings)
    click.get_current_context().call_on_close(reader.close)
    reader.catch_up()
    return reader, settings


def nothing_in(reader: "ReadableStore", project: str, what: str) -> str:
    """Why a list of what is in a project is empty, as far as one can know."""
    return f"{project} has no {what}{'' if reader.stores.shows_all else ', or none that you may read'}"


def report_nothing(reader: "ReadableStore", what: str, reason: str) -> None:
    """Report why a list is empty: there is no store yet, or else for `reason`."""
    missing = reader.stores.missing
    report_empty(reason if missing is None else f"no {what} yet; {missing}".rstrip("."))


def version_named(name: str, entity: str | None, project: str | None) -> "Artifact":
    """The version that NAME, NAME:ALIAS or NAME:v3 refers to. Raises: NotFound, InvalidName."""
    from headwater._artifact.lookup import find_artifact  # deferred: database

    client, settings = open_store(entity, project)
    return find_artifact(client, name, settings.entity, settings.project)


def parse_name(text: str, settings: Settings) -> tuple[str, str | None]:
    """`name:v3` → ("entity/project/name", "v3"); the second is None if no version or alias is given."""
    wanted = ArtifactReference.parse(text)
    collection = CollectionName(wanted.entity or settings.entity, wanted.project or settings.project, wanted.name)
    return str(collection), wanted.selector if ":" in text else None
