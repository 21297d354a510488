"""The rows of one event's files, in columns: as tuples, all at once, they would keep the garbage collector busy."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, repeat

from headwater_schemas.entries import FileEntries

from headwater_consumer.row_codes import EXECUTABLE, FILE

EntryTuple = tuple[object, ...]  # in the order of EntryRow's fields


@dataclass(frozen=True, slots=True)
class FileRows(Collection[EntryTuple]):
    """Rows that differ in path, kind, size, digest and location alone. Each is made when it is asked for."""

    layer: int
    ordinal: int
    writer: int
    files: FileEntries
    packed_digests: Sequence[bytes]  # those of `files`, in the stored form

    @property
    def paths(self) -> Sequence[str]:
        return self.files.paths

    def __len__(self) -> int:
        return len(self.files)

    def __contains__(self, row: object) -> bool:
        return any(row == one for one in self)

    def __iter__(self) -> Iterator[EntryTuple]:
        paths, sizes, digests, names, offsets = self._columns()
        same = (repeat(self.layer), paths, repeat(self.ordinal), repeat(self.writer), self._kinds(), sizes)
        nothing = repeat(None)
        return zip(*same, digests, names, offsets, nothing, nothing, nothing, strict=False)

    def by_kind(self) -> Iterator[tuple[int, Iterator[EntryTuple]]]:
        """Path, size, digest, object name and offset of each file, by kind of row."""
        columns = self._columns()
        if not self.files.executable:
            yield FILE, zip(*columns, strict=True)
            return
        kinds = self._kinds()
        for kind in (FILE, EXECUTABLE):
            chosen = [one == kind for one in kinds]
            yield kind, zip(*[compress(column, chosen) for column in columns], strict=True)

    def _columns(self) -> tuple[Sequence[object], ...]:
        files = self.files
        names = [files.objects[i] for i in files.object_indexes]
        return files.paths, files.sizes, self.packed_digests, names, files.offsets

    def _kinds(self) -> Sequence[int]:
        kinds = [FILE] * len(self.files)
        for row in self.files.executable:
            kinds[row] = EXECUTABLE
        return kinds
