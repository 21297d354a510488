"""Content that starts from a version: what was added and removed, over what the version has.

Only what a change touches is read of the version, so the cost of a draft is that of its changes. The entries of the
base that a change hides are remembered, because they are subtracted from the sum.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from headwater_consumer import queries
from headwater_consumer.queries.reads import Reads
from headwater_schemas.entries import FilesByPath, Reference
from headwater_schemas.errors import InvalidPath
from headwater_schemas.lthash import ContentSum
from headwater_schemas.paths import conflict_reason

from headwater._content.content import Content, ContentDelta, FileContent, FileOrReference, sum_of_entries


class Overlay(Content):
    """Content over a base. `files` and `references` are what was added."""

    def __init__(self, reads: Reads, base: queries.VersionInfo) -> None:
        super().__init__()
        self._reads = reads
        self.base: queries.VersionInfo = base
        self._hidden: dict[str, FileOrReference] = {}  # of the base: what was replaced or removed

    @property
    def count(self) -> int:
        return self.base.entry_count - len(self._hidden) + super().count

    @property
    def removed(self) -> Sequence[str]:
        return [path for path in self._hidden if path not in self.files and path not in self.references]

    def add_files(
        self,
        paths: Sequence[str],
        digests: Sequence[bytes],
        sizes: Sequence[int],
        executable: Collection[int] | None = (),
    ) -> None:
        super().add_files(paths, digests, sizes, executable)
        self._hide(paths)
        if executable is None:
            self.executable.update(path for path in paths if _is_executable(self._hidden.get(path)))

    def add_folder(
        self,
        paths: Sequence[str],
        digests: Sequence[bytes],
        sizes: Sequence[int],
        executable: Collection[int] | None,
        total: ContentSum,  # noqa: ARG002 - of these files alone
        delta: ContentDelta | None,  # noqa: ARG002 - likewise
    ) -> None:
        self.add_files(paths, digests, sizes, executable)

    def add_references(self, references: Sequence[Reference]) -> None:
        super().add_references(references)
        self._hide([reference.path for reference in references])

    def remove(self, paths: Iterable[str]) -> None:
        gone = list(paths)
        self._hide(gone)
        super().remove([path for path in gone if super(Overlay, self).get(path) is not None])

    def get(self, path: str) -> FileOrReference | None:
        added = super().get(path)
        if added is not None or path in self._hidden:
            return added
        info = self._reads.entry(self.base.layers, path)
        return None if info is None else file_or_reference(info)

    def entries(self, folder: str = "") -> Iterator[tuple[str, FileOrReference]]:
        return heapq.merge(self._visible_of_base(folder), self._added_under(folder), key=itemgetter(0))

    def check(self, paths: Sequence[str]) -> None:
        super().check(paths)
        both = self._reads.path_conflict(self.base.layers, paths, without=self._hidden)
        if both is not None:
            raise _conflict(self.base, *both)

    def sum(self) -> ContentSum:
        """The base's sum, minus what is hidden, plus what was added. Cost: proportional to the change."""
        if self._sum is None:
            base = self.base
            whole = ContentSum(base.sum_state, base.entry_count, base.size_bytes)
            added = sum_of_entries(self.files, self.executable, self.references.values())
            self._sum = whole.minus(sum_of_entries(*_apart(self._hidden))).plus(added)
        return self._sum

    def flattened(self) -> Content:
        """The same content without a base. Cost: reads the whole base."""
        whole = Content()
        files, executable, references = _apart(dict(self.entries()))
        columns = (list(files), list(files.digests.values()), list(files.sizes.values()))
        whole.add_files(*columns, [row for row, path in enumerate(files) if path in executable])
        whole.add_references(references)
        return whole

    def _hide(self, paths: Sequence[str]) -> None:
        unknown = [path for path in paths if path not in self._hidden]
        found = self._reads.entries_of(self.base.layers, unknown)
        self._hidden.update({path: file_or_reference(info) for path, info in found.items()})

    def _visible_of_base(self, folder: str) -> Iterator[tuple[str, FileOrReference]]:
        for page in self._reads.all_entries(self.base.layers, prefix=folder):
            for info in page:
                if info.path not in self._hidden:
                    yield info.path, file_or_reference(info)


def _conflict(base: queries.VersionInfo, path: str, other: str) -> InvalidPath:
    """The error for a path that conflicts with an entry of the base."""
    return InvalidPath(
        f"{path!r} cannot be added: {base.collection}:v{base.version} has {other!r}, and "
        f"{conflict_reason(path, other)}. Remove the other first."
    )


def file_or_reference(info: queries.EntryInfo) -> FileOrReference:
    """What the projection has at a path, in the form that `Content` has."""
    if info.digest is not None:
        assert info.size is not None
        return FileContent(info.digest, info.size, info.executable)
    assert info.uri is not None
    return Reference(info.path, info.uri, info.checksum, info.size, info.object_version)


def _is_executable(content: FileOrReference | None) -> bool:
    return isinstance(content, FileContent) and content.executable


def _apart(entries: Mapping[str, FileOrReference]) -> tuple[FilesByPath, set[str], list[Reference]]:
    """Files, the paths of the executable ones, and references."""
    files = FilesByPath({path: content[:2] for path, content in entries.items() if isinstance(content, FileContent)})
    executable = {path for path, content in entries.items() if _is_executable(content)}
    return files, executable, [content for content in entries.values() if isinstance(content, Reference)]
