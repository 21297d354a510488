"""Artifacts of versions that are looked up, by name or by number."""

from headwater_schemas.errors import InvalidInput

from headwater._artifact.artifact import Artifact, artifact_of
from headwater._artifact.resolve import find_version, known_version, look_up_version
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


def check_expected_type(artifact: Artifact, type_name: str | None) -> None:
    """Raises: InvalidInput naming both types, when the artifact is not of the type that the caller expects."""
    if type_name is not None and type_name != artifact.type:
        raise InvalidInput(
            f"{artifact.name} has type {artifact.type!r}, not {type_name!r}. Pass the right type or omit it."
        )
