"""The content of a version that is being built: files and references by path, and their sum.

`Content` is complete in itself. `overlay.Overlay` has the same interface, and starts from the content of a version.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from headwater_schemas.entries import FilesByPath, Reference, file_identity, file_leaves, reference_leaf
from headwater_schemas.errors import InvalidPath
from headwater_schemas.lthash import ContentSum, sum_of
from headwater_schemas.paths import (
    colliding_forms,
    composed,
    file_and_folder_text,
    folders_of_all,
    look_alike_text,
    range_of_folder,
)

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo


class FileContent(NamedTuple):
    """The file at a path."""

    digest: bytes  # stored form
    size: int  # bytes
    executable: bool


FileOrReference = FileContent | Reference  # what is at a path


@dataclass(frozen=True, slots=True)
class ContentDelta:
    """How content differs from content of another digest."""

    digest: str  # the version digest of what it is compared with
    changed: Sequence[str]  # paths that are new or hold something else
    removed: Sequence[str]


class Content:
    """Files and references by path. A path that is added again is replaced."""

    base: "VersionInfo | None" = None  # the version that the rest is the difference from

    def __init__(self) -> None:
        self.files = FilesByPath()
        self.executable: set[str] = set()  # the paths of files that are; few, so they are apart
        self.references: dict[str, Reference] = {}
        self.known_delta: ContentDelta | None = None  # from the folder's last scan, while nothing else was added
        self._folders: set[str] | None = set()  # None: to be computed
        self._forms: dict[str, str] | None = {}  # NFC form of each path or folder outside ASCII → that path or folder
        self._sum: ContentSum | None = None

    # --- changing it

    def add_files(
        self,
        paths: Sequence[str],
        digests: Sequence[bytes],
        sizes: Sequence[int],
        executable: Collection[int] | None = (),
    ) -> None:
        """Add all files or none; the rows in `executable` are. None: that is unknown, and those of the base stay so.

        Raises: InvalidPath when a path would be a file and a folder at once, or collides.
        """
        self.check(paths)
        self._add_files(paths, digests, sizes, executable)

    def _add_files(
        self,
        paths: Sequence[str],
        digests: Sequence[bytes],
        sizes: Sequence[int],
        executable: Collection[int] | None,
    ) -> None:
        self._grow(paths)
        for path in self.references.keys() & set(paths) if self.references else ():
            del self.references[path]
        self.files.add(paths, digests, sizes)
        if self.executable:
            self.executable.difference_update(paths)
        self.executable.update([paths[row] for row in executable or ()])

    def add_folder(
        self,
        paths: Sequence[str],
        digests: Sequence[bytes],
        sizes: Sequence[int],
        executable: Collection[int] | None,
        total: ContentSum,
        delta: ContentDelta | None,
    ) -> None:
        """Add the files of a scanned folder, whose sum is known, with their difference from the last scan."""
        if self.files or self.references:
            self.add_files(paths, digests, sizes, executable)
            return
        self._add_files(paths, digests, sizes, executable)  # a scan was checked in itself
        self._sum = total
        self.known_delta = delta

    def add_references(self, references: Sequence[Reference]) -> None:
        """Add all references or none. Raises: as `add_files`."""
        paths = [reference.path for reference in references]
        self.check(paths)
        self._grow(paths)
        for reference in references:
            self.files.pop(reference.path, None)
            self.executable.discard(reference.path)
            self.references[reference.path] = reference

    def remove(self, paths: Iterable[str]) -> None:
        """Remove the entries at these paths; each has one."""
        for path in paths:
            self.executable.discard(path)
            if self.files.pop(path, None) is None:
                del self.references[path]
        self._sum = self.known_delta = self._folders = self._forms = None

    def replace_digests(self, new: Mapping[bytes, bytes]) -> None:
        """The same files, of which some have other digests now: old digest → new one."""
        before, self.files = self.files, FilesByPath()
        self.files.add(before, [new.get(digest, digest) for digest in before.digests.values()], before.sizes.values())
        self._sum = self.known_delta = None

    # --- what it holds

    @property
    def count(self) -> int:
        """How many entries there are."""
        return len(self.files) + len(self.references)

    @property
    def removed(self) -> Sequence[str]:
        """The paths of the base that were removed."""
        return ()

    def get(self, path: str) -> FileOrReference | None:
        """What is at `path`."""
        file = self.files.get(path)
        return self.references.get(path) if file is None else FileContent(*file, path in self.executable)

    def identities(self) -> dict[str, bytes]:
        """What tells the content of each path from another: see `identity`."""
        found = dict(self.files.digests)
        found |= {path: file_identity(found[path], True) for path in self.executable}
        return found | {path: reference_leaf(reference) for path, reference in self.references.items()}

    def entries(self, folder: str = "") -> Iterator[tuple[str, FileOrReference]]:
        """What is under `folder` ("" for all), by path. The content may not change during the iteration."""
        return self._added_under(folder)

    def check(self, paths: Sequence[str]) -> None:
        """Raises: InvalidPath when `paths` cannot be added."""
        known_folders, forms = self._names()
        folders = folders_of_all(paths)
        for known in (known_folders, folders):
            if not known.isdisjoint(paths):
                raise _taken(next(path for path in paths if path in known), "a folder")
        for folder in folders:
            if folder in self.files or folder in self.references:
                raise _taken(folder, "a file")
        if all(map(str.isascii, paths)) and not forms:
            return
        if both := colliding_forms(paths) or self._look_alike((*paths, *folders)):
            raise InvalidPath(f"{look_alike_text(*both)}. Rename one of them.")

    def flattened(self) -> "Content":
        """The same content without a base."""
        return self

    def sum(self) -> ContentSum:
        """The sum of all entries; with it the version's digest. Cost: about a microsecond an entry, once."""
        if self._sum is None:
            self._sum = sum_of_entries(self.files, self.executable, self.references.values())
        return self._sum

    def _added_under(self, folder: str) -> Iterator[tuple[str, FileOrReference]]:
        start, end = range_of_folder(folder) if folder else ("", None)
        ordered = sorted([*self.files, *self.references])
        for path in ordered[bisect_left(ordered, start) :]:
            if end is not None and path >= end:
                return
            if path in self.files:
                yield path, FileContent(*self.files[path], path in self.executable)
            else:
                yield path, self.references[path]

    def _names(self) -> tuple[set[str], dict[str, str]]:
        """All folders, and the NFC forms of all names outside ASCII."""
        if self._folders is None or self._forms is None:
            self._folders = folders_of_all([*self.files, *self.references])
            self._forms = _forms([*self.files, *self.references, *self._folders])
        return self._folders, self._forms

    def _look_alike(self, names: Iterable[str]) -> tuple[str, str] | None:
        """The first of `names`, paths or folders, that looks like another one of the content, after that one."""
        folders, forms = self._names()
        for name in names:
            form = composed(name)
            other = forms.get(form)
            if other is None and form != name and (form in self.files or form in self.references or form in folders):
                other = form  # one of the few characters whose form is in ASCII
            if other is not None and other != name:
                return other, name
        return None

    def _grow(self, paths: Sequence[str]) -> None:
        self._sum = self.known_delta = None
        known_folders, forms = self._names()
        folders = folders_of_all(paths)
        known_folders |= folders
        forms |= _forms((*paths, *folders))


def _forms(names: Iterable[str]) -> dict[str, str]:
    return {composed(name): name for name in names if not name.isascii()}


def _taken(path: str, other: str) -> InvalidPath:
    """The error for a path at which there is something else already."""
    return InvalidPath(f"{file_and_folder_text(path)}: it is {other} already. Rename one of them, or remove it first.")


def sum_of_entries(files: FilesByPath, executable: Collection[str], references: Iterable[Reference]) -> ContentSum:
    """The sum of these entries alone."""
    rows = [row for row, path in enumerate(files) if path in executable] if executable else ()
    sizes = files.sizes.values()
    total = sum_of(file_leaves(files, files.digests.values(), sizes, rows), sum(sizes), remember=True)
    outside = list(references)
    if not outside:
        return total
    leaves = [reference_leaf(reference) for reference in outside]
    return total.plus(sum_of(leaves, sum(reference.size or 0 for reference in outside)))


def identity(content: FileOrReference) -> bytes:
    """What differs when the content of a path differs: see `file_identity`, or all fields of a reference."""
    if isinstance(content, Reference):
        return reference_leaf(content)
    return file_identity(content.digest, content.executable)
