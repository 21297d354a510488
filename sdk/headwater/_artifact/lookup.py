"""Artifacts of versions that are looked up, by name or by number."""

from headwater_schemas.errors import InvalidInput

from headwater._artifact.artifact import Artifact, artifact_of
from headwater._artifact.deletion import restore
from headwater._artifact.resolve import find_version, known_version, look_up_version, numbered_version
from headwater._commit.client import Client


def find_artifact(client: Client, text: str, entity: str, project: str) -> Artifact:
    """The version that `text` names; `entity` and `project` are used where it names none.

    Raises: InvalidName; NotFound naming what there is instead.
    """
    return artifact_of(client, find_version(client, text, entity, project))


def artifact_if_there(client: Client, text: str, entity: str, project: str) -> Artifact | None:
    """As `find_artifact`, but None where it is not there."""
    info = look_up_version(client, text, entity, project)
    return None if info is None else artifact_of(client, info)


def version_artifact(client: Client, collection: str, version: int) -> Artifact:
    """The artifact of a version that is known to exist."""
    return artifact_of(client, known_version(client, collection, version))


def restored_artifact(client: Client, text: str, entity: str, project: str) -> Artifact:
    """The version that `text` names by its number, which is brought back if it was deleted.

    Raises: as `restorable_version`.
    """
    collection, version = restorable_version(client, text, entity, project)
    restore(client, collection, version)
    return version_artifact(client, collection, version)


def restorable_version(client: Client, text: str, entity: str, project: str) -> tuple[str, int]:
    """The collection and number of the version that `text` names, deleted or not.

    Raises: InvalidName where `text` has no number; NotFound.
    """
    collection, version = numbered_version(text, entity, project)
    client.catch_up_on(collection)
    if client.stores.reads.version_info(collection, version) is None:
        find_version(client, text, entity, project)  # raises NotFound, which names what there is
    return collection, version


def check_expected_type(artifact: Artifact, type_name: str | None) -> None:
    """Raises: InvalidInput naming both types, when the artifact is not of the type that the caller expects."""
    if type_name is not None and type_name != artifact.type:
        raise InvalidInput(
            f"{artifact.name} has type {artifact.type!r}, not {type_name!r}. Pass the right type or omit it."
        )
