"""Resolve names to versions."""

from headwater_consumer import queries
from headwater_schemas.errors import NotFound
from headwater_schemas.names import ArtifactReference, CollectionName

from headwater._artifact.not_found import missing_artifact, missing_version
from headwater._commit.client import Client


def find_version(client: Client, text: str, entity: str, project: str) -> queries.VersionInfo:
    """What is recorded about the version that `text` names; `entity` and `project` are used where it names none.

    Raises: InvalidName; NotFound naming what there is instead.
    """
    found = look_up_version(client, text, entity, project)
    if found is not None:
        return found
    collection, selector = _wanted(text, entity, project)
    if queries.collection_info(client.stores.database, collection) is None:
        raise missing_artifact(client, collection, selector)
    raise missing_version(client, collection, selector)


def look_up_version(client: Client, text: str, entity: str, project: str) -> queries.VersionInfo | None:
    """As `find_version`, but None where it is not there, without looking for what there is instead."""
    collection, selector = _wanted(text, entity, project)
    client.catch_up_on(collection)
    return queries.version_named(client.stores.database, collection, selector)


def known_version(client: Client, collection: str, version: int) -> queries.VersionInfo:
    """What is recorded about a version that exists. Raises: NotFound."""
    info = queries.version_info(client.stores.database, collection, version)
    if info is None:
        raise NotFound(f"{collection}:v{version} is not in the projection. Run `headwater doctor`.")
    return info


def _wanted(text: str, entity: str, project: str) -> tuple[str, str]:
    """Collection and selector. Raises: InvalidName."""
    wanted = ArtifactReference.parse(text)
    return str(CollectionName(wanted.entity or entity, wanted.project or project, wanted.name)), wanted.selector
