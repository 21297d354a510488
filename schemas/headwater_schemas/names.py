"""The grammar of names, and the qualified names built from them. `limits` has their lengths.

entity, project, collection, run id,
rule, subscription, issuer             letters, digits, `_`, `-`, `.`; not `.` or `..`
alias, tag                             printable; no `/`, no `:`; never like `v12`
type, purpose, distributed_id, principal
                                       printable
id of a draft with one writer          letters, digits, `_`, `-`
commit                                 40 or 64 hexadecimal digits, lower case
label, free text                       no NUL; may be empty

Printable is what `frozen_unicode` calls so, without a space at either end.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from headwater_schemas.errors import InvalidName
from headwater_schemas.frozen_unicode import is_printable, quoted
from headwater_schemas.limits import (
    DISTRIBUTED_ID_LENGTH_MAX,
    LABEL_LENGTH_MAX,
    NAME_LENGTH_MAX,
    OWN_DRAFT_ID_LENGTH_MAX,
    PRINCIPAL_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    VERSION_DIGITS_MAX,
)

LATEST = "latest"
COMMIT_PREFIX_MIN = 4  # digits, as git has it
NAMES_KEPT_MAX = 4096  # of each kind: one event has the same name checked and taken apart a dozen times

_NAME = re.compile(rf"(?!\.{{1,2}}\Z)[A-Za-z0-9_.\-]{{1,{NAME_LENGTH_MAX}}}")
_NOT_NAME = re.compile(r"[^A-Za-z0-9_.\-]")
_NOT_DRAFT_ID = re.compile(r"[^A-Za-z0-9_\-]")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # SHA-1 or SHA-256, as git writes them
_COMMIT_PREFIX = re.compile(rf"[0-9a-f]{{{COMMIT_PREFIX_MIN},64}}")
_VERSION = re.compile(rf"v(0|[1-9][0-9]{{0,{VERSION_DIGITS_MAX - 1}}})")  # fits a signed 64-bit number
_VERSION_LIKE = re.compile(r"v[0-9]+")


def check_name(name: object, kind: str) -> str:
    """Return `name` if it can name a `kind` ("entity", "project", "rule"); raise InvalidName if not."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    text = _check_length(name, f"{kind} name", NAME_LENGTH_MAX)
    if wrong := _NOT_NAME.search(text):
        raise InvalidName(
            f"{kind} name {quoted(text)} contains {quoted(wrong[0])}. Use letters, digits, '_', '-' and '.' only."
        )
    if text in (".", ".."):
        raise InvalidName(f"{kind} name {quoted(text)} means a folder. Use at least one letter, digit, '_' or '-'.")
    raise AssertionError(f"{text!a} is no name, and no rule says why")


def check_project(project: object) -> str:
    """Return `project` if it is `entity/project`; raise InvalidName if not."""
    entity, slash, name = project.partition("/") if isinstance(project, str) else ("", "", "")
    if not slash:
        shown = quoted(project) if isinstance(project, str) else type(project).__name__
        raise InvalidName(f"project {shown} is not of the form entity/project. Name both.")
    return f"{check_name(entity, 'entity')}/{check_name(name, 'project')}"


def check_alias(alias: object, kind: str = "alias") -> str:
    """Return `alias` if a user can set it; raise InvalidName if not. Tags follow the same grammar."""
    text = _check_printable(alias, kind, NAME_LENGTH_MAX)
    for forbidden in "/:":
        if forbidden in text:
            raise InvalidName(
                f"{kind} {quoted(text)} contains {quoted(forbidden)}, which separates names. Use another character."
            )
    if _VERSION_LIKE.fullmatch(text):
        raise InvalidName(
            f"{kind} {quoted(text)} looks like a version number, which only headwater assigns. Use another name."
        )
    return text


def check_type(type_name: object) -> str:
    """Return `type_name` if it can be an artifact's type; raise InvalidName if not."""
    return _check_printable(type_name, "type", NAME_LENGTH_MAX)


def check_purpose(purpose: object) -> str:
    """Return `purpose` if it can say what a run uses a version as; raise InvalidName if not."""
    return _check_printable(purpose, "use_as", NAME_LENGTH_MAX)


def check_distributed_id(distributed_id: object) -> str:
    """Return `distributed_id` if it can name a shared draft; raise InvalidName if not."""
    return _check_printable(distributed_id, "distributed_id", DISTRIBUTED_ID_LENGTH_MAX)


def check_own_draft_id(identity: object) -> str:
    """Return `identity` if it can name a draft with one writer; raise InvalidName if not."""
    text = _check_length(identity, "draft id", OWN_DRAFT_ID_LENGTH_MAX)
    if wrong := _NOT_DRAFT_ID.search(text):
        raise InvalidName(
            f"draft id {quoted(text)} contains {quoted(wrong[0])}. Use letters, digits, '_' and '-' only."
        )
    return text


def check_principal_text(principal: object) -> str:
    """Return `principal` if it has the characters of one; raise InvalidName if not. `access` has its form."""
    return _check_printable(principal, "principal", PRINCIPAL_LENGTH_MAX)


def check_label(text: object, kind: str) -> str:
    """Return `text` if it can be stored as a label (a job type, a group, an author); raise InvalidName if not."""
    return _check_storable(text, kind, LABEL_LENGTH_MAX)


def check_text(text: object, kind: str) -> str:
    """Return `text` if it can be stored as free text (a description, a reason); raise InvalidName if not."""
    return _check_storable(text, kind, TEXT_LENGTH_MAX)


def check_commit(commit: object) -> str:
    """Return `commit` if it is the whole id of a git commit; raise InvalidName if not."""
    if isinstance(commit, str) and _COMMIT.fullmatch(commit):
        return commit
    shown = quoted(commit, 100) if isinstance(commit, str) else type(commit).__name__
    raise InvalidName(f"{shown} is not the id of a git commit: 40 or 64 hexadecimal digits, lower case. Write all.")


def check_commit_prefix(commit: object) -> str:
    """Return `commit` if it can be the first digits of a git commit's id; raise InvalidName if not."""
    if isinstance(commit, str) and _COMMIT_PREFIX.fullmatch(commit):
        return commit
    shown = quoted(commit, 100) if isinstance(commit, str) else type(commit).__name__
    raise InvalidName(
        f"{shown} is not a git commit. Write its id in lower case, or the first {COMMIT_PREFIX_MIN} digits at least."
    )


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
        return _collection_named(text) if type(text) is str else cls(*_split(text, "collection"))

    @property
    def namespace(self) -> str:
        """`entity/project`."""
        return f"{self.entity}/{self.project}"

    def shown_to(self, entity: str) -> str:
        """As who works as `entity` may write it: `project/name`, or all of it where it belongs to another."""
        return f"{self.project}/{self.name}" if self.entity == entity else str(self)

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
        return _run_named(text) if type(text) is str else cls(*_split(text, "run"))

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
            raise InvalidName(f"an artifact is named by text such as 'digits:latest', not {text!a:.100}.")
        path, colon, selector = text.partition(":")
        parts = path.split("/")
        if len(parts) > 3:
            raise InvalidName(
                f"{quoted(text)} has {len(parts)} parts. Write name, project/name or entity/project/name."
            )
        for part, kind in zip(reversed(parts), ("collection", "project", "entity"), strict=False):
            check_name(part, kind)
        if colon and parse_version(selector) is None:
            check_alias(selector)
        entity, project, name = [None] * (3 - len(parts)) + parts
        assert name is not None
        return cls(entity, project, name, selector if colon else LATEST)


@lru_cache(NAMES_KEPT_MAX)
def _collection_named(text: str) -> CollectionName:
    return CollectionName(*_split(text, "collection"))


@lru_cache(NAMES_KEPT_MAX)
def _run_named(text: str) -> RunName:
    return RunName(*_split(text, "run"))


def _split(text: str, kind: str) -> list[str]:
    parts = text.split("/")
    if len(parts) != 3:
        form = f"entity/project/{'id' if kind == 'run' else 'name'}"
        raise InvalidName(f"{kind} {quoted(text)} is not of the form {form}. Write all three.")
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
        raise InvalidName(
            f"{kind} {quoted(value, 40)} has {len(value):,} characters; at most {length_max:,} are allowed. Shorten it."
        )
    return value


def _check_printable(value: object, kind: str, length_max: int) -> str:
    text = _check_length(value, kind, length_max)
    if not is_printable(text):
        raise InvalidName(
            f"{kind} {quoted(text)} has a control character, or one that Unicode 14.0 does not have. Remove it."
        )
    if text != text.strip(" "):  # every other white space is not printable
        raise InvalidName(f"{kind} {quoted(text)} has white space at its ends. Remove it.")
    return text


def _check_storable(text: object, kind: str, length_max: int) -> str:
    """NUL is refused because not every database can store it."""
    if not isinstance(text, str):
        raise InvalidName(f"{kind} must be text, not {type(text).__name__}.")
    if len(text) > length_max:
        raise InvalidName(f"{kind} has {len(text):,} characters; at most {length_max:,} are stored. Shorten it.")
    if found := _NOT_TEXT.search(text):
        raise InvalidName(f"{kind} contains {quoted(found[0])}, which cannot be stored. Remove it.")
    return text
