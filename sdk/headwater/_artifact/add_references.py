"""Turn what a user refers to, a URI or an entry of another version, into the references that an artifact records."""

from collections.abc import Mapping
from pathlib import PurePath

from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidInput, InvalidPath, NotFound
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.links import LINK_SCHEME, link_to, parse_link
from headwater_schemas.names import CollectionName
from headwater_schemas.paths import (
    colliding_forms,
    file_and_folder,
    file_and_folder_text,
    look_alike_text,
    normalize,
)

from headwater._artifact.entry import Entry, find_entry, info_of_entry
from headwater._artifact.state import ArtifactState
from headwater._references import schemes
from headwater._references.listing import FoundObject
from headwater._references.uris import check_uri, redacted


def references_for(
    state: ArtifactState,
    what: str | Entry,
    name: str | PurePath | None,
    *,
    checksum: bool,
    max_objects: int | None,
) -> list[Reference]:
    """Raises: InvalidInput, InvalidPath, NotFound, naming what cannot be referred to."""
    if isinstance(what, Entry):
        found = [_of_entry(what, name)]
    elif not isinstance(what, str):
        raise InvalidInput(
            "a reference must be a URI such as 's3://bucket/key' or an entry of another artifact, not a "
            f"{type(what).__name__}. For a Path pass `path.absolute().as_uri()`, for an artifact one of its entries."
        )
    elif (link := _as_link(what)) is None:
        found = _of_uri(what, name, checksum=checksum, max_objects=max_objects)
    else:
        found = [_of_entry(_linked_entry(state, link), name) if checksum else _of_link(link, name)]
    _check_names(found, state.content.references)
    return found


def _of_uri(uri: str, name: str | PurePath | None, *, checksum: bool, max_objects: int | None) -> list[Reference]:
    listing = schemes.look_up(uri, checksum=checksum, max_objects=max_objects, named=name is not None)
    given = None if name is None else normalize(name)
    references = [_of_object(found, given, is_folder=listing.is_prefix) for found in listing.objects]
    _check_together(references)
    return references


def _of_object(found: FoundObject, given: str | None, *, is_folder: bool) -> Reference:
    """Raises: InvalidPath naming the object, whose name may be one that no path can have."""
    if is_folder and not {"", ".", ".."}.isdisjoint(found.path.split("/")):
        problem = "the parts of a path between slashes are not empty, '.' or '..'."
        raise InvalidPath(f"{_shown(found.uri)} cannot be an entry: {problem} {_advice(found.uri)}")
    try:
        path = _path(found.path, given, is_folder=is_folder)
    except InvalidPath as error:
        raise InvalidPath(f"{_shown(found.uri)} cannot be an entry: {error} {_advice(found.uri)}") from error
    return Reference(path, found.uri, found.checksum, found.size, found.object_version)


def _check_together(references: list[Reference]) -> None:
    """Raises: InvalidPath naming two objects that cannot be in one version, such as `x` and `x/y`."""
    paths = [reference.path for reference in references]
    file = file_and_folder(paths)
    if file is not None:
        both, problem = (file, next(path for path in paths if path.startswith(f"{file}/"))), file_and_folder_text(file)
    elif alike := colliding_forms(paths):
        both, problem = alike, look_alike_text(*alike)
    else:
        return
    # Names that look alike may be those of folders: any object below stands for them.
    one, other = (next(found.uri for found in references if f"{found.path}/".startswith(f"{path}/")) for path in both)
    raise InvalidPath(f"{_shown(one)} and {_shown(other)} cannot be in one version: {problem}. {_advice(one)}")


def _shown(uri: str) -> str:
    return quoted(redacted(uri))[1:-1]  # in one line, whatever is in the name of the object


def _advice(uri: str) -> str:
    """What can be done about an object that cannot be an entry under its own name."""
    otherwise = "To add the others, give longer prefixes."
    try:
        check_uri(uri)
    except InvalidInput:  # nor can it be named alone
        return f"Nothing was added. Rename the object. {otherwise}"
    return f"Nothing was added. Rename the object, or add it alone with name=. {otherwise}"


def _path(inferred: str, given: str | None, *, is_folder: bool) -> str:
    if given is None:
        return normalize(inferred)
    return normalize(f"{given}/{inferred}") if is_folder else given


def _check_names(found: list[Reference], known: Mapping[str, Reference]) -> None:
    """Raises: InvalidPath when two references would have the same name."""
    taken = dict(known)
    for reference in found:
        other = taken.setdefault(reference.path, reference)
        if other.uri != reference.uri:
            raise InvalidPath(
                f"{reference.path!r} would refer to both {redacted(other.uri)} and {redacted(reference.uri)}. Add one "
                "of them alone with another name=."
            )


def _of_entry(entry: Entry, name: str | PurePath | None) -> Reference:
    info = info_of_entry(entry)
    if info.deleted:
        raise NotFound(
            f"{info.collection}:v{info.version} was deleted, so its entry {entry.path!r} cannot be referenced. Use "
            "another version."
        )
    link = link_to(info.collection, info.version, entry.path)
    return Reference(_name_of(entry.path, name), link, entry.digest, entry.size, None)


def _of_link(uri: str, name: str | PurePath | None) -> Reference:
    """The reference for a link, without looking up the entry."""
    collection, version, path = parse_link(uri)
    return Reference(_name_of(path, name), link_to(collection, version, path), None, None, None)


def _name_of(path: str, given: str | PurePath | None) -> str:
    return normalize(path.rpartition("/")[2] if given is None else given)


def _as_link(uri: str) -> str | None:
    """`uri` in the canonical spelling of links, None where it is none. Schemes are case-insensitive."""
    scheme, colon, rest = uri.partition(":")
    return f"{LINK_SCHEME}{colon}{rest}" if scheme.lower() == LINK_SCHEME else None


def _linked_entry(state: ArtifactState, uri: str) -> Entry:
    """The entry that a link names. Raises: NotFound, InvalidInput."""
    from headwater._artifact.resolve import find_version  # deferred: database

    collection, version, path = parse_link(uri)
    name = CollectionName.parse(collection)
    client, _ = state.open()
    info = find_version(client, f"{name.name}:v{version}", name.entity, name.project)
    try:
        return find_entry(ArtifactState.of_version(client, info), path)
    except NotFound as error:
        raise NotFound(f"{uri!r} does not name an entry: {error}") from error
