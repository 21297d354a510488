"""The attributes of a version beside its content: description, metadata, aliases, tags, time to live.

All of them can be changed in place. Changes are found by comparing with the values that were read, so two people who
edit the same version change only what each of them touched.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from headwater_schemas import metadata as json_metadata
from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import ExpectedVersion, VersionDescribed
from headwater_schemas.limits import TAGS_MAX
from headwater_schemas.names import check_alias, check_text, parse_version

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo

TTL_SECONDS_MAX = 100 * 365 * 86_400  # a century: what is meant to stay has no time to live

UNSET: Any = object()

AliasMover = Callable[[str, Any], None]  # the alias, and where it is expected: a version, None, or UNSET


def expected_version(argument: str, expect: Any) -> ExpectedVersion | None:
    """What a caller expects: a version such as "v3", None for no version, or UNSET for anything.

    Raises: InvalidInput naming the `argument` for anything else.
    """
    if expect is UNSET:
        return None
    if expect is None:
        return ExpectedVersion(version=None)
    version = parse_version(expect.rpartition(":")[2]) if isinstance(expect, str) else None
    if version is None:
        raise InvalidInput(f"{argument} must be a version such as 'v3' or None, not {expect!r}.")
    return ExpectedVersion(version=version)


class Names(list[str]):
    """Aliases or tags: a list of valid names without duplicates."""

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
            raise InvalidInput(f"{self.kind} names must be a list. Write [{names!r}].")
        if not isinstance(names, Iterable):
            raise InvalidInput(f"{self.kind} names must be a list, such as [] or ['best'], not {names!r}.")
        for name in [self._checked(name) for name in names]:
            if name not in self:
                super().append(name)

    def remove(self, name: str) -> None:
        if name not in self:
            raise InvalidInput(f"there is no {self.kind} {name!r} to remove. Existing: {', '.join(self) or 'none'}.")
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

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return type(self), (list(self),)  # a copy belongs to no version

    def _checked(self, name: str) -> str:
        return check_alias(name, self.kind)


class Aliases(Names):
    """The aliases of one version. Changes take effect with `artifact.save()`; `move` takes effect immediately."""

    kind = "alias"

    def __init__(self, names: Iterable[str] = (), mover: AliasMover | None = None) -> None:
        """`mover` moves an alias to the version that these are the aliases of, once there is one."""
        super().__init__(names)
        self._mover = mover

    def move(self, alias: str, *, expect: str | None = UNSET) -> None:
        """Move `alias` to this version immediately, optionally only if it is where you expect it.

        `expect` is a version such as "v3", or None for no version; without it, the alias moves from anywhere.
        Raises: EventRejected naming the version that has it; InvalidInput before the artifact is logged.
        """
        self._checked(alias)
        if self._mover is None:
            raise InvalidInput(
                "an alias can only be moved to a version, and these are of none. Log the artifact first, or append the "
                "alias; of a copy, use the artifact's own aliases."
            )
        self._mover(alias, expect)


@dataclass(frozen=True, slots=True)
class _Recorded:
    """The attributes as they were read, to find what was changed since."""

    description: str | None
    metadata: dict[str, Any]
    aliases: list[str]
    tags: list[str]
    ttl_seconds: int | None


class VersionAttributes:
    """The attributes of one version as they are edited, and as they were read."""

    def __init__(
        self,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        aliases: Aliases | None = None,
        tags: Names | None = None,
        ttl_seconds: int | None = None,
        *,
        from_base: bool = False,
    ) -> None:
        """`from_base`: they were copied from the version that a draft starts from."""
        self.description = description
        self.metadata = {} if metadata is None else metadata
        self.aliases = Aliases() if aliases is None else aliases
        self.tags = Names() if tags is None else tags
        self.ttl_seconds = ttl_seconds
        self._from_base = from_base
        self._metadata_assigned = False  # as a whole, rather than changed key by key
        self._recorded = _Recorded(
            description, copy.deepcopy(self.metadata), list(self.aliases), list(self.tags), ttl_seconds
        )

    @classmethod
    def of_version(cls, info: "VersionInfo", move_alias: "AliasMover") -> "VersionAttributes":
        """As they are recorded. `move_alias` moves an alias to the version at once."""
        metadata, aliases = json_metadata.decode(info.metadata), Aliases(info.aliases, move_alias)
        return cls(info.description, metadata, aliases, Names(info.tags), info.ttl_seconds)

    @classmethod
    def of_draft(cls, base: "VersionInfo") -> "VersionAttributes":
        """Of the next version: it starts with the base's description and metadata, and without names."""
        return cls(base.description, json_metadata.decode(base.metadata), from_base=True)

    def moving_aliases_by(self, move_alias: "AliasMover") -> "VersionAttributes":
        """The same attributes, whose aliases are moved by `move_alias`."""
        self.aliases = Aliases(self.aliases, move_alias)
        return self

    def set_description(self, text: str | None) -> None:
        """Raises: InvalidName when it cannot be stored."""
        self.description = None if text is None else check_text(text, "description")

    def set_metadata(self, value: Mapping[str, Any]) -> None:
        """Replace all of it. Raises: InvalidMetadata naming the key that cannot be stored."""
        self.metadata = json_metadata.decode(json_metadata.encode(value))
        self._metadata_assigned = True

    def set_ttl(self, ttl: timedelta | None) -> None:
        """Raises: InvalidInput for a duration that is not positive, or too long."""
        if ttl is None:
            self.ttl_seconds = None
            return
        if not isinstance(ttl, timedelta) or not 1 <= ttl.total_seconds() <= TTL_SECONDS_MAX:
            raise InvalidInput(f"ttl must be a timedelta between a second and a hundred years, not {ttl!r}.")
        self.ttl_seconds = int(ttl.total_seconds())

    def record_moved_alias(self, alias: str) -> None:
        """An alias was moved here at once, so saving need not move it again."""
        self.aliases.append(alias)
        self._recorded.aliases.append(alias)

    @property
    def metadata_text(self) -> str | None:
        """Canonical JSON; None where nothing was given. Raises: InvalidMetadata for values that were set in place."""
        text = json_metadata.encode(self.metadata)
        return text if self._metadata_assigned or text != "{}" else None

    @property
    def inherited(self) -> frozenset[str]:
        """Which of "description" and "metadata" a draft still has from its base, because nobody set them."""
        if not self._from_base:
            return frozenset()
        recorded = self._recorded
        unchanged = {
            "description": self.description == recorded.description,
            "metadata": json_metadata.encode(self.metadata) == json_metadata.encode(recorded.metadata),
        }
        return frozenset(field for field, is_unchanged in unchanged.items() if is_unchanged)

    @property
    def is_given(self) -> bool:
        """Whether anything was set that the base, if there is one, does not have."""
        values = {"description": self.description, "metadata": self.metadata_text, "ttl": self.ttl_seconds}
        given = [field for field, value in values.items() if value is not None and field not in self.inherited]
        return bool(given or self.aliases or self.tags)

    # --- what was changed since it was read

    @property
    def is_changed(self) -> bool:
        """Whether anything was set that is not recorded yet."""
        changed_names = self.aliases_added or self.aliases_removed
        return bool(changed_names or self.events("", 0, lambda: "{}"))

    @property
    def aliases_added(self) -> list[str]:
        return _missing(self.aliases, self._recorded.aliases)

    @property
    def aliases_removed(self) -> list[str]:
        return _missing(self._recorded.aliases, self.aliases)

    def events(self, collection: str, version: int, current_metadata: Callable[[], str]) -> list[VersionDescribed]:
        """The events for all changes but those of aliases. Raises: InvalidMetadata.

        `current_metadata` returns what is recorded by now, for a change that can only be sent as a whole.
        """
        recorded = self._recorded
        fields: dict[str, Any] = {}
        if self.description != recorded.description:
            fields["description"] = self.description or ""
        fields.update(self._metadata_change(recorded.metadata, current_metadata))
        if self.ttl_seconds != recorded.ttl_seconds:
            fields["ttl_seconds"] = self.ttl_seconds or 0
        changes = [fields] if fields else []
        changes += [{"tags_removed": some} for some in _groups(_missing(recorded.tags, self.tags))]
        changes += [{"tags_added": some} for some in _groups(_missing(self.tags, recorded.tags))]
        return [VersionDescribed(collection=collection, version=version, **change) for change in changes]

    def _metadata_change(self, before: dict[str, Any], current_metadata: Callable[[], str]) -> dict[str, str]:
        text = json_metadata.encode(self.metadata)
        if text == json_metadata.encode(before):
            return {}
        if self._metadata_assigned:
            return {"metadata": text}
        now = json_metadata.decode(text)
        patch = _merge_patch(before, now)
        if patch is not None:
            return {"metadata_patch": json_metadata.encode(patch)}
        # Changes that others recorded since it was read are kept: only what was changed here is merged into them.
        return {"metadata": json_metadata.encode(_merged(json_metadata.decode(current_metadata()), before, now))}


def _missing(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name for name in names if name not in others]


def _groups(names: list[str]) -> Iterator[tuple[str, ...]]:
    """As many as one event carries."""
    return (tuple(names[start : start + TAGS_MAX]) for start in range(0, len(names), TAGS_MAX))


def _merge_patch(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any] | None:
    """The merge patch (RFC 7396) from `before` to `now`; None where there is none, since null in a patch removes."""
    patch: dict[str, Any] = dict.fromkeys(key for key in before if key not in now)
    for key, value in now.items():
        if key in before and _same(before[key], value):
            continue
        if isinstance(value, dict):
            below = _merge_patch(_object_at(before, key), value)
            if below is None:
                return None
            patch[key] = below
        elif value is None:
            return None
        else:
            patch[key] = value
    return patch


def _merged(recorded: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """`recorded` with the changes from `before` to `now` merged into it, key by key on every level."""
    result = {key: value for key, value in recorded.items() if key in now or key not in before}
    for key, value in now.items():
        if key in before and _same(before[key], value):
            continue
        if isinstance(value, dict):
            result[key] = _merged(_object_at(recorded, key), _object_at(before, key), value)
        else:
            result[key] = value
    return result


def _object_at(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    below = value.get(key)
    return below if isinstance(below, dict) else {}


def _same(one: Any, other: Any) -> bool:
    return bool(json_metadata.encode({"": one}) == json_metadata.encode({"": other}))  # 1, 1.0 and True differ
