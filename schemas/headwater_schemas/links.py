"""Links: how an entry says that its content is an entry of another version.

    headwater://ENTITY/PROJECT/NAME/vN/PATH        each segment of PATH is percent-encoded

A link names the version by its number, so what it leads to never changes.
"""

from urllib.parse import quote, unquote

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import CollectionName, parse_version
from headwater_schemas.paths import normalize

LINK_SCHEME = "headwater"
URI_SHOWN_MAX = 300  # characters, in an error

_PREFIX = f"{LINK_SCHEME}://"


def is_link(uri: str) -> bool:
    """Whether `uri` means an entry of a version."""
    return uri.startswith(_PREFIX)


def link_to(collection: str, version: int, path: str) -> str:
    """The link to `path`, in normal form, of a version of "entity/project/name"."""
    return f"{links_to(collection, version)}/{quote(path)}"


def links_to(collection: str, version: int) -> str:
    """What all links to entries of a version begin with, before a slash."""
    return f"{_PREFIX}{collection}/v{version}"


def parse_link(uri: str) -> tuple[str, int, str]:
    """Collection, version and path. Raises: InvalidInput (InvalidName, InvalidPath) when `uri` is no link."""
    entity, project, name, version, path = _parts(uri)
    number = parse_version(version)
    if number is None:
        raise InvalidInput(f"{_shown(uri)} does not name a version: {_shown(version)} is not a number such as 'v3'.")
    try:
        return str(CollectionName(entity, project, name)), number, normalize(unquote(path, errors="strict"))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{_shown(uri)} is not a link: its path is not UTF-8.") from error


def _parts(uri: str) -> list[str]:
    parts = uri.removeprefix(_PREFIX).split("/", 4)
    if not is_link(uri) or len(parts) != 5:
        raise InvalidInput(f"{_shown(uri)} is not a link. A link has the form {_PREFIX}ENTITY/PROJECT/NAME/vN/PATH.")
    return parts


def _shown(text: str) -> str:
    return quoted(text, URI_SHOWN_MAX)
