"""The grammar of names, and the qualified names built from them.

entity, project, collection, run id   letters, digits, `_`, `-`, `.`; 1 to 128 characters; not `.` or `..`
alias, tag                            printable; no `/`, no `:`; 1 to 128 characters; never like `v12`
type                                  printable; 1 to 128 characters
distributed_id                        printable; 1 to 256 characters
free text                             at most 65,536 characters; no NUL
"""

import re
from dataclasses import dataclass

from headwater_schemas.errors import InvalidName

NAME_LENGTH_MAX = 128
DISTRIBUTED_ID_LENGTH_MAX = 256
TEXT_LENGTH_MAX = 65_536  # characters
TAGS_MAX = 256  # per event; bounds the size of an event and the length of a message

LATEST = "latest"

_NOT_NAME = re.compile(r"[^A-Za-z0-9_.\-]")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_VERSION = re.compile(r"v(0|[1-9][0-9]{0,17})")  # fits a signed 64-bit number
_VERSION_LIKE = re.compile(r"v[0-9]+")


def check_name(name: object, kind: str) -> str:
    """Return `name` if it can name a `kind` ("entity", "project", "collection", "run"); raise InvalidName if not."""
    text = _check_length(name, f"{kind} name", NAME_LENGTH_MAX)
    if wrong := _NOT_NAME.search(text):
        raise InvalidName(
            f"{kind} name {text!r} contains {wrong.group()!r}. Use letters, digits, '_', '-' and '.' only."
        )
    if text in (".", ".."):
        raise InvalidName(f"{kind} name {text!r} means a folder. Use at least one letter, digit, '_' or '-'.")
    return text


def check_alias(alias: object, kind: str = "alias") -> str:
    """Return `alias` if a user can set it; raise InvalidName if not. Tags follow the same grammar."""
    text = _check_printable(alias, kind, NAME_LENGTH_MAX)
    for forbidden in "/:":
        if forbidden in text:
            raise InvalidName(f"{kind} {text!r} contains {forbidden!r}, which separates names. Use another character.")
    if _VERSION_LIKE.fullmatch(text):
        raise InvalidName(
            f"{kind} {text!r} looks like a version number, which only headwater assigns. Use another name."
        )
    return text


def check_type(type_name: object) -> str:
    """Return `type_name` if it can be an artifact's type; raise InvalidName if not."""
    return _check_printable(type_name, "type", NAME_LENGTH_MAX)


def check_distributed_id(distributed_id: object) -> str:
    """Return `distributed_id` if it can name a shared draft; raise InvalidName if not."""
    return _check_printable(distributed_id, "distributed_id", DISTRIBUTED_ID_LENGTH_MAX)


def check_text(text: object, kind: str) -> str:
    """Return `text` if it can be stored as free text (a description, a reason); raise InvalidName if not.

    NUL is refused because not every database can store it.
    """
    if not isinstance(text, str):
        raise InvalidName(f"{kind} must be text, not {type(text).__name__}.")
    if len(text) > TEXT_LENGTH_MAX:
        raise InvalidName(f"{kind} has {len(text):,} characters; at most {TEXT_LENGTH_MAX:,} are stored. Shorten it.")
    if found := _NOT_TEXT.search(text):
        raise InvalidName(f"{kind} contains {found.group()!r}, which cannot be stored. Remove it.")
    return text


def parse_version(text: str) -> int | None:
    """`"v3"` → 3; None for anything that is not a version number."""
    return int(text[1:]) if _VERSION.fullmatch(text) else None


@dataclass(frozen=True, slots=True, order=True)
class CollectionName:
    """`entity/project/name`: all versions of one artifact name."""

    entity: str
    project: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "CollectionName":
        """Raises: InvalidName when `text` is not three valid names."""
        entity, project, name = _split(text, "collection")
        return cls(entity, project, name)

    @property
    def namespace(self) -> str:
        """`entity/project`."""
        return f"{self.entity}/{self.project}"

    def __post_init__(self) -> None:
        _check_parts((self.entity, self.project, self.name), "collection")

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class RunName:
    """`entity/project/ID`: one execution."""

    entity: str
    project: str
    id: str

    @classmethod
    def parse(cls, text: str) -> "RunName":
        """Raises: InvalidName when `text` is not three valid names."""
        entity, project, run_id = _split(text, "run")
        return cls(entity, project, run_id)

    @property
    def namespace(self) -> str:
        """`entity/project`."""
        return f"{self.entity}/{self.project}"

    def __post_init__(self) -> None:
        _check_parts((self.entity, self.project, self.id), "run")

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.id}"


@dataclass(frozen=True, slots=True)
class ArtifactReference:
    """A user's reference to a version: `[[entity/]project/]name[:alias or version]`."""

    entity: str | None
    project: str | None
    name: str
    selector: str  # an alias, or "v3"; "latest" by default

    @classmethod
    def parse(cls, text: str) -> "ArtifactReference":
        """Raises: InvalidName when `text` has another shape or holds an invalid name."""
        if not isinstance(text, str) or not text:
            raise InvalidName(f"an artifact is named by text such as 'digits:latest', not {text!r}.")
        path, colon, selector = text.partition(":")
        parts = path.split("/")
        if len(parts) > 3:
            raise InvalidName(f"{text!r} has {len(parts)} parts. Write name, project/name or entity/project/name.")
        for part, kind in zip(reversed(parts), ("collection", "project", "entity"), strict=False):
            check_name(part, kind)
        if colon and parse_version(selector) is None:
            check_alias(selector)
        entity, project, name = [None] * (3 - len(parts)) + parts
        assert name is not None
        return cls(entity, project, name, selector if colon else LATEST)


def _split(text: str, kind: str) -> list[str]:
    parts = text.split("/")
    if len(parts) != 3:
        raise InvalidName(f"{kind} {text!r} is not of the form entity/project/{'id' if kind == 'run' else 'name'}.")
    return parts


def _check_parts(parts: tuple[str, str, str], kind: str) -> None:
    for part, part_kind in zip(parts, ("entity", "project", kind), strict=True):
        check_name(part, part_kind)


def _check_length(value: object, kind: str, length_max: int) -> str:
    if not isinstance(value, str):
        raise InvalidName(f"{kind} must be text, not {type(value).__name__}.")
    if not value:
        raise InvalidName(f"{kind} is empty. Give it at least one character.")
    if len(value) > length_max:
        raise InvalidName(f"{kind} {value[:40]!r}… has {len(value)} characters; at most {length_max} are allowed.")
    return value


def _check_printable(value: object, kind: str, length_max: int) -> str:
    text = _check_length(value, kind, length_max)
    if not text.isprintable() or text != text.strip():
        raise InvalidName(f"{kind} {text!r} has a control character, or white space at its ends. Remove it.")
    return text
