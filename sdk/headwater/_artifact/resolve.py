"""Resolve names to versions."""

from headwater_consumer import queries
from headwater_schemas.errors import InvalidName, NotFound
from headwater_schemas.names import ArtifactReference, CollectionName, parse_version
from headwater_stores.catching_up import ReadableStore

from headwater._artifact.not_found import missing_artifact, missing_version


def find_version(reader: ReadableStore, text: str, entity: str, project: str) -> queries.VersionInfo:
    """What is recorded about the version that `text` names; `entity` and `project` are used where it names none.

    Raises: InvalidName; NotFound naming what there is instead.
    """
    found = look_up_version(reader, text, entity, project)
    if found is not None:
        return found
    collection, selector = _wanted(text, entity, project)
    if reader.stores.reads.collection_info(collection) is None:
        raise missing_artifact(reader, collection, selector)
    raise missing_version(reader, collection, selector)


def look_up_version(reader: ReadableStore, text: str, entity: str, project: str) -> queries.VersionInfo | None:
    """As `find_version`, but None where it is not there, without looking for what there is instead."""
    collection, selector = _wanted(text, entity, project)
    reader.catch_up_on(collection)
    return reader.stores.reads.version_named(collection, selector)


def known_version(reader: ReadableStore, collection: str, version: int) -> queries.VersionInfo:
    """What is recorded about a version that exists. Raises: NotFound."""
    info = reader.stores.reads.version_info(collection, version)
    if info is None:
        raise NotFound(f"{collection}:v{version} is not in the projection. Run `headwater doctor`.")
    return info


def numbered_version(text: str, entity: str, project: str) -> tuple[str, int]:
    """Collection and number of what `text` names. Raises: InvalidName where it gives no number."""
    collection, selector = _wanted(text, entity, project)
    number = parse_version(selector)
    if number is None:
        raise InvalidName(
            f"{text!r} has no version number, and what was deleted has no alias. Write {text.partition(':')[0]}:v3."
        )
    return collection, number


def _wanted(text: str, entity: str, project: str) -> tuple[str, str]:
    """Collection and selector. Raises: InvalidName."""
    wanted = ArtifactReference.parse(text)
    return str(CollectionName(wanted.entity or entity, wanted.project or project, wanted.name)), wanted.selector
