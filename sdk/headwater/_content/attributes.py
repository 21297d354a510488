"""What is said about an artifact beside its content: description, metadata, aliases, tags, time to live.

All of it can be changed in place. What changed is found by comparing with what was there when it was read, so that two
people who edit one version change only what each of them touched.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from headwater_schemas import metadata as json_metadata
from headwater_schemas.errors import InvalidInput
from headwater_schemas.names import TAGS_MAX, check_alias, check_text

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo
    from headwater_schemas.events import VersionDescribed

TTL_SECONDS_MAX = 100 * 365 * 86_400  # a century: what is meant to stay has no time to live

UNSET: Any = object()


class Names(list[str]):
    """Aliases or tags: a list that takes only what can be one, and each once."""

    kind = "tag"

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__()
        self.extend(names)

    def append(self, name: str) -> None:
        if self._checked(name) not in self:
            super().append(name)

    def insert(self, index: SupportsIndex, name: str) -> None:
        if self._checked(name) not in self:
            super().insert(index, name)

    def extend(self, names: Iterable[str]) -> None:
        if isinstance(names, str):
            raise InvalidInput(f"{self.kind} names come as a list: write [{names!r}].")
        if not isinstance(names, Iterable):
            raise InvalidInput(f"{self.kind} names come as a list, such as [] or ['best'], not as {names!r}.")
        for name in [self._checked(name) for name in names]:
            if name not in self:
                super().append(name)

    def remove(self, name: str) -> None:
        if name not in self:
            raise InvalidInput(f"there is no {self.kind} {name!r} to remove; there are: {', '.join(self) or 'none'}.")
        super().remove(name)

    def __iadd__(self, names: Iterable[str]) -> "Names":  # type: ignore[misc, override]
        self.extend(names)
        return self

    @overload
    def __setitem__(self, index: SupportsIndex, value: str) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[str]) -> None: ...
    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        changed = list(self)
        changed[index] = value
        names = type(self)(changed)
        super().__setitem__(slice(None), names)

    def _checked(self, name: str) -> str:
        return check_alias(name, self.kind)


class Aliases(Names):
    """The aliases of one version. Changes take effect with `artifact.save()`; `move` does at once."""

    kind = "alias"
    _mover: Callable[[str, Any], None] | None = None

    def move(self, alias: str, *, expect: str | None = UNSET) -> None:
        """Point `alias` to this version now, but only if it still is where it is expected.

        `expect` is a version such as "v3", or None for no version at all; without it the alias moves wherever it was.
        Raises: EventRejected saying who holds it; InvalidInput before the artifact is logged.
        """
        self._checked(alias)
        if self._mover is None:
            raise InvalidInput("an alias moves to a version. Log the artifact first, or append the alias.")
        self._mover(alias, expect)


@dataclass
class Said:
    """What is said, as it is edited, and as it was."""

    description: str | None
    metadata: dict[str, Any]
    aliases: Aliases
    tags: Names
    ttl_seconds: int | None

    def __post_init__(self) -> None:
        self._was = Said._snapshot(self)
        self._replaced = False  # metadata was assigned as a whole
        self._of_base = False  # it began with what is said about the version that a draft starts from

    @classmethod
    def nothing(cls) -> "Said":
        """Of an artifact that is new."""
        return cls(None, {}, Aliases(), Names(), None)

    @classmethod
    def of(cls, info: "VersionInfo") -> "Said":
        """Of a version."""
        aliases, tags = Aliases(info.aliases), Names(info.tags)
        return cls(info.description, json_metadata.decode(info.metadata), aliases, tags, info.ttl_seconds)

    @classmethod
    def of_draft(cls, info: "VersionInfo") -> "Said":
        """Of the next version: its names are still to be given."""
        said = cls(info.description, json_metadata.decode(info.metadata), Aliases(), Names(), None)
        said._of_base = True
        return said

    def describe(self, text: str | None) -> None:
        """Raises: InvalidName when it cannot be kept."""
        self.description = None if text is None else check_text(text, "description")

    def has_moved(self, alias: str) -> None:
        """An alias came here by itself, so that saving need not move it again."""
        self.aliases.append(alias)
        self._was[2].append(alias)

    def replace_metadata(self, value: Mapping[str, Any]) -> None:
        """Raises: InvalidMetadata naming the key that cannot be kept."""
        self.metadata = json_metadata.decode(json_metadata.encode(value))
        self._replaced = True

    def live(self, ttl: timedelta | None) -> None:
        """Raises: InvalidInput when it is not a time that can pass."""
        if ttl is None:
            self.ttl_seconds = None
            return
        if not isinstance(ttl, timedelta) or not 1 <= ttl.total_seconds() <= TTL_SECONDS_MAX:
            raise InvalidInput(f"a time to live is a timedelta of a second to a hundred years, not {ttl!r}.")
        self.ttl_seconds = int(ttl.total_seconds())

    @property
    def metadata_text(self) -> str | None:
        """Canonical JSON; None where nothing was given. Raises: InvalidMetadata, for what was put in place."""
        text = json_metadata.encode(self.metadata)
        return text if self._replaced or text != "{}" else None

    @property
    def taken_over(self) -> frozenset[str]:
        """What is still as the base has it, so that nobody gave it: "description", "metadata"."""
        if not self._of_base:
            return frozenset()
        description, metadata, *_ = self._was
        same = {
            "description": self.description == description,
            "metadata": json_metadata.encode(self.metadata) == json_metadata.encode(metadata),
        }
        return frozenset(field for field, is_same in same.items() if is_same)

    @property
    def is_given(self) -> bool:
        """Whether anything is said that the base, if there is one, does not say."""
        said = {"description": self.description, "metadata": self.metadata_text, "ttl": self.ttl_seconds}
        given = [field for field, value in said.items() if value is not None and field not in self.taken_over]
        return bool(given or self.aliases or self.tags)

    # --- what changed since it was read

    @property
    def aliases_added(self) -> list[str]:
        return _missing(self.aliases, self._was[2])

    @property
    def aliases_removed(self) -> list[str]:
        return _missing(self._was[2], self.aliases)

    def events(self, collection: str, version: int, recorded: Callable[[], str]) -> "list[VersionDescribed]":
        """What says the rest of the changes. Raises: InvalidMetadata.

        `recorded` gives the metadata that is recorded by now, for a change that only all of it can say.
        """
        from headwater_schemas.events import VersionDescribed

        description, metadata, _, tags, ttl_seconds = self._was
        said: dict[str, Any] = {}
        if self.description != description:
            said["description"] = self.description or ""
        said.update(self._metadata_change(metadata, recorded))
        if self.ttl_seconds != ttl_seconds:
            said["ttl_seconds"] = self.ttl_seconds or 0
        changes = [said] if said else []
        changes += [{"tags_removed": some} for some in _groups(_missing(tags, self.tags))]
        changes += [{"tags_added": some} for some in _groups(_missing(self.tags, tags))]
        return [VersionDescribed(collection=collection, version=version, **change) for change in changes]

    def _metadata_change(self, before: dict[str, Any], recorded: Callable[[], str]) -> dict[str, str]:
        text = json_metadata.encode(self.metadata)
        if text == json_metadata.encode(before):
            return {}
        if self._replaced:
            return {"metadata": text}
        now = json_metadata.decode(text)
        patch = _patch(before, now)
        if patch is not None:
            return {"metadata_patch": json_metadata.encode(patch)}
        # What somebody else changed since it was read stays: only what was changed here is laid over it.
        return {"metadata": json_metadata.encode(_laid_over(json_metadata.decode(recorded()), before, now))}

    def _snapshot(self) -> tuple[str | None, dict[str, Any], list[str], list[str], int | None]:
        metadata = copy.deepcopy(self.metadata)
        return self.description, metadata, list(self.aliases), list(self.tags), self.ttl_seconds


def _missing(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name for name in names if name not in others]


def _groups(names: list[str]) -> Iterator[tuple[str, ...]]:
    """As many as one event takes."""
    return (tuple(names[start : start + TAGS_MAX]) for start in range(0, len(names), TAGS_MAX))


def _patch(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any] | None:
    """What to lay over `before` to have `now` (RFC 7396); None where that cannot say it: null there means removal."""
    patch: dict[str, Any] = dict.fromkeys(key for key in before if key not in now)
    for key, value in now.items():
        if key in before and _same(before[key], value):
            continue
        if isinstance(value, dict):
            below = _patch(_below(before, key), value)
            if below is None:
                return None
            patch[key] = below
        elif value is None:
            return None
        else:
            patch[key] = value
    return patch


def _laid_over(recorded: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """`recorded`, with what changed from `before` to `now`, key by key on every level."""
    result = {key: value for key, value in recorded.items() if key in now or key not in before}
    for key, value in now.items():
        if key in before and _same(before[key], value):
            continue
        if isinstance(value, dict):
            result[key] = _laid_over(_below(recorded, key), _below(before, key), value)
        else:
            result[key] = value
    return result


def _below(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    below = value.get(key)
    return below if isinstance(below, dict) else {}


def _same(one: Any, other: Any) -> bool:
    return bool(json_metadata.encode({"": one}) == json_metadata.encode({"": other}))  # 1, 1.0 and True differ
