"""Resolve names to versions."""

from headwater_consumer import queries
from headwater_schemas.errors import NotFound
from headwater_schemas.names import LATEST, ArtifactReference, CollectionName, parse_version

from headwater._commit.client import Client


def find_version(client: Client, text: str, entity: str, project: str) -> queries.VersionInfo:
    """What is recorded about the version that `text` names; `entity` and `project` are used where it names none.

    Raises: InvalidName; NotFound naming what there is instead.
    """
    wanted = ArtifactReference.parse(text)
    collection = str(CollectionName(wanted.entity or entity, wanted.project or project, wanted.name))
    client.catch_up_on(collection)
    version = queries.resolve_version(client.stores.database, collection, wanted.selector)
    if version is not None:
        return known_version(client, collection, version)
    known = queries.collection_info(client.stores.database, collection)
    if known is None:
        raise NotFound(f"there is no artifact {collection}. `headwater ls` lists the artifacts of a project.")
    raise NotFound(_not_found_message(client, collection, wanted.selector))


def known_version(client: Client, collection: str, version: int) -> queries.VersionInfo:
    """What is recorded about a version that exists. Raises: NotFound."""
    info = queries.version_info(client.stores.database, collection, version)
    if info is None:
        raise NotFound(f"{collection}:v{version} is not in the projection. Run `headwater doctor`.")
    return info


def _not_found_message(client: Client, collection: str, selector: str) -> str:
    number = parse_version(selector)
    if number is not None and (info := queries.version_info(client.stores.database, collection, number)) is not None:
        return f"{collection}:v{info.version} was deleted. `headwater ls {collection}` lists the remaining versions."
    latest = queries.resolve_version(client.stores.database, collection, LATEST)
    newest = "" if latest is None else f"; the latest is v{latest}"
    return f"{collection} has no version or alias {selector!r}{newest}. `headwater ls {collection}` lists them."
