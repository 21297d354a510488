"""Path conflicts: which paths cannot join what a stack of layers contains.

No path is a file and a folder at once, and none looks like another one to a reader. Of the many forms that Unicode
allows for a text, the two that people's machines produce are checked: all composed (NFC) and all decomposed (NFD).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from headwater_schemas.paths import folders_of, folders_of_all, other_spellings

from headwater_consumer.rows import REMOVED


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What is removed at the same time, and so conflicts with nothing."""

    paths: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    @classmethod
    def of(cls, paths: Collection[str], folders: Collection[str]) -> "Exclusions":
        return cls(frozenset(paths), frozenset(folders))

    def covers(self, path: str) -> bool:
        """Whether `path` is removed."""
        return path in self.paths or self._is_within(path)

    def covers_folder(self, folder: str) -> bool:
        """Whether everything under `folder` is removed."""
        return folder in self.folders or self._is_within(folder)

    def _is_within(self, path: str) -> bool:
        return bool(self.folders) and not self.folders.isdisjoint(folders_of(path))


NO_EXCLUSIONS = Exclusions()


class LayerStack(Protocol):
    """Layers on top of each other. For a path the topmost layer that names it counts."""

    def kinds_at(self, paths: Collection[str]) -> Mapping[str, int]:
        """`EntryRow.kind` of the row that counts, for those of `paths` that any layer names."""
        ...

    def possible_folders(self, names: Collection[str]) -> set[str]:
        """Those of `names` under which a layer has an entry, even if the layers above hide it."""
        ...

    def first_under(self, folder: str, exclusions: Exclusions = NO_EXCLUSIONS) -> str | None:
        """The first path under `folder` that the stack contains, less the exclusions."""
        ...


def first_path_conflict(
    stack: LayerStack, paths: Sequence[str], exclusions: Exclusions = NO_EXCLUSIONS
) -> tuple[str, str] | None:
    """The first of `paths` that cannot join what a stack contains, and the path there that it conflicts with."""
    alike = {path: _look_alikes(path) for path in paths if not path.isascii()}
    looking_alike = set(chain.from_iterable(alike.values()))
    entries = _entries_among(stack, folders_of_all(paths) | looking_alike, exclusions)
    folders = _folders_among(stack, looking_alike.union(paths), exclusions)
    if not entries and not folders:
        return None
    for path in paths:
        others = alike.get(path, ())
        if entry := next((name for name in (*folders_of(path), *others) if name in entries), None):
            return path, entry
        if folder := next((name for name in (path, *others) if name in folders), None):
            return path, folders[folder]
    return None


def _look_alikes(path: str) -> list[str]:
    """Other spellings of `path` and of its folders."""
    return [other for name in (*folders_of(path), path) for other in other_spellings(name)]


def _entries_among(stack: LayerStack, names: Collection[str], exclusions: Exclusions) -> set[str]:
    kinds = stack.kinds_at(names)
    return {name for name, kind in kinds.items() if kind != REMOVED and not exclusions.covers(name)}


def _folders_among(stack: LayerStack, names: Iterable[str], exclusions: Exclusions) -> dict[str, str]:
    """Those of `names` that are folders: the first path under each."""
    found: dict[str, str] = {}
    for folder in stack.possible_folders(set(names)):
        first = None if exclusions.covers_folder(folder) else stack.first_under(folder, exclusions)
        if first is not None:
            found[folder] = first
    return found
