"""From what a user refers to, a URI or an entry of another version, to the references that an artifact keeps."""

from pathlib import PurePath
from typing import TYPE_CHECKING

from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidInput, InvalidPath, NotFound
from headwater_schemas.paths import normalize

from headwater._entry import Entry

if TYPE_CHECKING:
    from headwater._artifact import Artifact
    from headwater._building import Building


def references_for(
    building: "Building",
    what: str | Entry,
    name: str | PurePath | None,
    *,
    checksum: bool,
    max_objects: int | None,
) -> list[Reference]:
    """Raises: InvalidInput, InvalidPath, NotFound, naming what cannot be referred to."""
    if isinstance(what, Entry):
        return [_of_entry(what, name)]
    if not isinstance(what, str):
        raise InvalidInput(f"a reference is a URI or an entry of another artifact, not a {type(what).__name__}.")
    from headwater._links import is_link

    if is_link(what):
        return [_of_entry(_linked(building, what), name)]
    return _of_uri(what, name, checksum=checksum, max_objects=max_objects)


def _of_uri(uri: str, name: str | PurePath | None, *, checksum: bool, max_objects: int | None) -> list[Reference]:
    from headwater import references

    listing = references.look_up(uri, checksum=checksum, max_objects=max_objects)
    given = None if name is None else normalize(name)
    kept: dict[str, Reference] = {}
    for found in listing.found:
        path = _path(found.path, given, is_folder=listing.is_prefix)
        other = kept.get(path)
        if other is not None:
            raise InvalidPath(f"{path!r} would be both {other.uri!r} and {found.uri!r}. Add them one by one, by name.")
        kept[path] = Reference(path, found.uri, found.checksum, found.size, found.object_version)
    return list(kept.values())


def _path(inferred: str, given: str | None, *, is_folder: bool) -> str:
    if given is None:
        return normalize(inferred)
    return normalize(f"{given}/{inferred}") if is_folder else given


def _of_entry(entry: Entry, name: str | PurePath | None) -> Reference:
    from headwater._links import link_to

    info = entry._artifact._known()
    path = normalize(entry.path.rpartition("/")[2] if name is None else name)
    return Reference(path, link_to(info.collection, info.version, entry.path), entry.digest, entry.size, None)


def _linked(building: "Building", uri: str) -> Entry:
    """The entry that a link names. Raises: NotFound, InvalidInput."""
    from headwater._links import parse_link
    from headwater._run import find_artifact

    collection, version, path = parse_link(uri)
    entity, project, name = collection.split("/")
    client, _ = building._opened()
    artifact: Artifact = find_artifact(client, f"{name}:v{version}", entity, project)
    try:
        return artifact.get_entry(path)
    except NotFound as error:
        raise NotFound(f"{uri!r} names no entry: {error}") from error
