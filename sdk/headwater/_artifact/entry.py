"""Entries of an artifact, and the mapping from paths to entries."""

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from headwater_schemas import digests
from headwater_schemas.entries import Reference
from headwater_schemas.errors import InvalidInput, InvalidPath, NotFound
from headwater_schemas.paths import as_stored, normalize
from headwater_stores.telling.progress import counted, format_bytes

from headwater._content.content import FileOrReference
from headwater._fixed_attributes import FixedAttributes
from headwater._notebook import NotebookView
from headwater._tables.stored_values import entry_of_value
from headwater._tables.table_entries import TableSource

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo

ENTRIES_IN_REPR = 5


class EntrySource(TableSource, Protocol):
    """The artifact that entries belong to, while it is filled and once it is a version."""

    @property
    def entry_count(self) -> int: ...

    def content_at(self, path: str) -> FileOrReference | None:
        """What is at a path."""
        ...

    def entries(self, folder: str = "") -> Iterator[tuple[str, FileOrReference]]:
        """What is under a folder, "" for all, by path."""
        ...

    def download_entry(self, path: str, root: str | os.PathLike[str] | None) -> str:
        """Fetch one entry into `root`, and return its local path."""
        ...

    def known_info(self) -> "VersionInfo":
        """What is recorded about the version. Waits for it. Raises: InvalidInput before it is logged."""
        ...


class Entry(FixedAttributes, NotebookView):
    """One path of an artifact: a stored file, or a reference to something outside."""

    path: str

    def __init__(self, source: EntrySource, path: str, content: FileOrReference) -> None:
        self._source = source
        self._content = content
        self.path = path

    @property
    def digest(self) -> str | None:
        """The digest of a file, such as "xxh3:…"; the checksum of a reference, None if it has none."""
        content = self._content
        return content.checksum if isinstance(content, Reference) else digests.to_text(content.digest)

    @property
    def size(self) -> int | None:
        """The size in bytes; None for a reference of unknown size."""
        return self._content.size

    @property
    def executable(self) -> bool:
        """Whether it is a stored file that its owner could execute when it was added. A download sets that again."""
        return not isinstance(self._content, Reference) and self._content.executable

    @property
    def is_reference(self) -> bool:
        """Whether its content is stored elsewhere."""
        return isinstance(self._content, Reference)

    @property
    def object_version(self) -> str | None:
        """The object version of a reference; None if it has none."""
        return self._content.object_version if isinstance(self._content, Reference) else None

    def ref(self) -> str:
        """The URI of a reference. Raises: InvalidInput for a stored file."""
        if isinstance(self._content, Reference):
            return self._content.uri
        raise InvalidInput(f"{self.path!r} is a stored file, not a reference. Use `entry.download()`.")

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        skip_cache: bool = False,  # noqa: ARG002 - accepted: there is nothing to skip
    ) -> str:
        """Download this entry into `root` and return its local path.

        `root`, `skip_cache` and errors: see `Artifact.download`.
        """
        return self._source.download_entry(self.path, root)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and (self.path, self._content) == (other.path, other._content)

    def __hash__(self) -> int:
        return hash((self.path, self._content))

    def _shown_fields(self) -> dict[str, str]:
        return {
            "entry": self.path,
            "size": "" if self.size is None else format_bytes(self.size),
            "digest": self.digest or "",
            "refers to": self.ref() if self.is_reference else "",
        }

    def __repr__(self) -> str:
        return f"<Entry {self.path} of {self._source.name}>"


class Entries(Mapping[str, Entry]):
    """Maps paths to entries, in path order. Nothing is read before it is used, and a lookup reads one entry.

    Paths are normalized: `./a`, `d//a` and `d/a/` mean `a`, `d/a` and `d/a`. Either Unicode form of a name finds it.
    """

    def __init__(self, source: EntrySource) -> None:
        self._source = source

    def __getitem__(self, path: str | PurePath) -> Entry:
        try:
            name = as_stored(normalize(path), self._source.has)
        except InvalidPath:
            raise KeyError(path) from None
        content = self._source.content_at(name)
        if content is None:
            raise KeyError(path)
        return Entry(self._source, name, content)

    def __iter__(self) -> Iterator[str]:
        return (path for path, _ in self._source.entries())

    def __len__(self) -> int:
        return self._source.entry_count

    def __repr__(self) -> str:
        some = [repr(path) for path in islice(self, ENTRIES_IN_REPR)]
        more = ["…"] if len(self) > ENTRIES_IN_REPR else []
        return f"<{counted(len(self), 'entry', 'entries')}: {', '.join([*some, *more]) or 'none'}>"

    def values(self) -> "list[Entry]":  # type: ignore[override]
        """All entries, by path. Cost: reads the listing once."""
        return [Entry(self._source, path, content) for path, content in self._source.entries()]

    def items(self) -> "list[tuple[str, Entry]]":  # type: ignore[override]
        """All paths with their entries."""
        return [(entry.path, entry) for entry in self.values()]


class Manifest:
    """The listing of an artifact."""

    def __init__(self, source: EntrySource) -> None:
        self.entries: Mapping[str, Entry] = Entries(source)

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self.entries == other.entries

    __hash__ = None  # type: ignore[assignment]  # what it lists may change

    def __repr__(self) -> str:
        return f"<Manifest of {len(self):,} entries>"


def path_in(source: EntrySource, name: str | PurePath) -> str:
    """The path of an entry or folder, as the artifact spells it. Raises: InvalidPath."""
    return as_stored(
        normalize(name), lambda form: source.has(form) or next(iter(source.paths_under(form)), None) is not None
    )


def find_entry(source: EntrySource, name: str | PurePath) -> Entry:
    """The entry at `name`. Raises: InvalidPath; NotFound, which says so if `name` is a folder."""
    path = path_in(source, name)
    content = source.content_at(path)
    if content is not None:
        return Entry(source, path, content)
    below = next(iter(source.paths_under(path)), None)
    if below is not None:
        raise NotFound(
            f"{path!r} is a folder of {source.name}, not an entry. Name a file inside it, such as {below!r}."
        )
    if (table := entry_of_value(source, path)) is not None:
        raise NotFound(
            f"{path!r} of {source.name} is a table. Read it with `artifact.get({path!r})`; its entry is {table!r}."
        )
    raise NotFound(f"{source.name} has no entry {path!r}. `artifact.files()` lists its entries.")


def info_of_entry(entry: Entry) -> "VersionInfo":
    """The version that an entry belongs to. Raises: InvalidInput before it is logged."""
    return entry._source.known_info()
