"""The entries of a version: files with their blob locations, and references to external content.

A batch of files has columns, because a version can have a million of them and one Python object for each would cost
more than all the rest. Events carry `FileEntries`; row i of every column describes one file.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from headwater_schemas import digests
from headwater_schemas.columns import Pairs
from headwater_schemas.errors import InvalidInput

_LEAF_TAG = b"headwater/entry/1\x00"  # final: another tag would give every version another digest
_FILE_TAG = _LEAF_TAG + b"F"
_REFERENCE_TAG = _LEAF_TAG + b"R"


FileDigest = tuple[bytes, int]  # digest in the stored form, size in bytes


class FilesByPath(Pairs[str, bytes, int]):
    """The digest and the size of each file, by path."""

    __slots__ = ()

    @classmethod
    def of(cls, files: Mapping[str, FileDigest]) -> "FilesByPath":
        """`files` itself where it has this form, and else a copy that has."""
        return files if isinstance(files, FilesByPath) else cls(files)

    @property
    def digests(self) -> dict[str, bytes]:
        return self.firsts

    @property
    def sizes(self) -> dict[str, int]:
        return self.seconds

    def part(self, paths: Iterable[str]) -> "FilesByPath":
        """Those of `paths` that are here."""
        return FilesByPath({path: self[path] for path in paths if path in self})


class BlobLocation(NamedTuple):
    """Where content is stored: `size` bytes of `object_name` from `offset`. Not part of any digest."""

    object_name: str
    offset: int
    size: int


class Ranges(Pairs[bytes, int, int]):
    """Offset and size of contents within the bytes that they share, by digest (stored form)."""

    __slots__ = ()

    @property
    def offsets(self) -> dict[bytes, int]:
        return self.firsts

    @property
    def sizes(self) -> dict[bytes, int]:
        return self.seconds


class BlobLocations(MutableMapping[bytes, BlobLocation]):
    """Where contents are stored, by digest (stored form); in columns, as `Pairs`."""

    __slots__ = ("object_names", "ranges")

    def __init__(self) -> None:
        self.object_names: dict[bytes, str] = {}
        self.ranges = Ranges()

    def add(self, object_name: str, contents: Sequence[bytes], ranges: Ranges) -> None:
        """These contents are in one object, at their `ranges`, which may have more."""
        self.object_names.update(dict.fromkeys(contents, object_name))
        offsets, sizes = ranges.offsets, ranges.sizes
        self.ranges.add(contents, map(offsets.__getitem__, contents), map(sizes.__getitem__, contents))

    def __getitem__(self, digest: bytes) -> BlobLocation:
        return BlobLocation(self.object_names[digest], *self.ranges[digest])

    def __setitem__(self, digest: bytes, location: BlobLocation) -> None:
        self.object_names[digest] = location.object_name
        self.ranges[digest] = location.offset, location.size

    def __delitem__(self, digest: bytes) -> None:
        del self.object_names[digest], self.ranges[digest]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.object_names)

    def __len__(self) -> int:
        return len(self.object_names)


class FileRow(NamedTuple):
    """One file of a version."""

    path: str
    digest: bytes  # stored form, see `digests.pack`
    size: int  # bytes
    object_name: str
    offset: int  # bytes from the object's start
    executable: bool = False

    @property
    def location(self) -> BlobLocation:
        return BlobLocation(self.object_name, self.offset, self.size)


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry whose content is stored elsewhere."""

    path: str
    uri: str
    checksum: str | None = None  # with its type: "etag:…", "md5:…", "xxh3:…"; None where it was not requested
    size: int | None = None  # bytes; None where it is unknown
    object_version: str | None = None  # the other store's own version id


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntries:
    """A batch of files in columns of equal length. All digests are of one algorithm."""

    algorithm: str = digests.DEFAULT_ALGORITHM
    paths: list[str]
    digests: bytes  # raw digests (without the algorithm's byte), one after the other
    sizes: list[int]
    objects: list[str]  # the names of the objects; each is used by a row
    object_indexes: list[int]  # row → index in `objects`
    offsets: list[int]  # row → bytes from the object's start
    executable: list[int] = field(default_factory=list)  # rows whose file is executable, ascending

    def __len__(self) -> int:
        return len(self.paths)

    @classmethod
    def of_columns(
        cls,
        algorithm: str,
        paths: Iterable[str],
        packed_digests: Sequence[bytes],
        sizes: Iterable[int],
        names: Sequence[str],
        offsets: Iterable[int],
        executable: Iterable[int] = (),
    ) -> "FileEntries":
        """From columns with digests in the stored form and an object name for each row; see the class."""
        raw = b"".join([digest[1:] for digest in packed_digests])
        assert len(raw) == digests.DIGEST_BYTES[algorithm] * len(packed_digests), "mixed digest algorithms in one batch"
        index_of = {name: i for i, name in enumerate(dict.fromkeys(names))}
        return cls(
            algorithm=algorithm,
            paths=list(paths),
            digests=raw,
            sizes=list(sizes),
            objects=list(index_of),
            object_indexes=[index_of[name] for name in names],
            offsets=list(offsets),
            executable=list(executable),
        )

    def slice(self, start: int, end: int) -> "FileEntries":
        """Rows `start` to `end`, exclusive, with the objects that they use."""
        if (start, end) == (0, len(self)):
            return self
        width = digests.DIGEST_BYTES[self.algorithm]
        indexes = self.object_indexes[start:end]
        new_index = {old: new for new, old in enumerate(dict.fromkeys(indexes))}
        marked = self.executable
        return FileEntries(
            algorithm=self.algorithm,
            paths=self.paths[start:end],
            digests=self.digests[start * width : end * width],
            sizes=self.sizes[start:end],
            objects=[self.objects[old] for old in new_index],
            object_indexes=[new_index[old] for old in indexes],
            offsets=self.offsets[start:end],
            executable=[row - start for row in marked[bisect_left(marked, start) : bisect_left(marked, end)]],
        )

    def packed_digests(self) -> list[bytes]:
        """Each row's digest in the stored form."""
        width = digests.DIGEST_BYTES[self.algorithm]
        code, raw = digests.pack(self.algorithm, b""), self.digests
        return [code + raw[i : i + width] for i in range(0, len(raw), width)]

    def rows(self) -> Iterator[FileRow]:
        """Rows from columns."""
        names = [self.objects[i] for i in self.object_indexes]
        executable = set(self.executable)
        flags = [row in executable for row in range(len(self))]
        return map(FileRow, self.paths, self.packed_digests(), self.sizes, names, self.offsets, flags)

    def check(self) -> None:
        """Raises: InvalidInput when the columns are inconsistent or a number is out of range."""
        count = len(self.paths)
        width = digests.DIGEST_BYTES[digests.check_algorithm(self.algorithm)]
        columns = (self.sizes, self.object_indexes, self.offsets)
        if len(self.digests) != count * width or any(len(column) != count for column in columns):
            raise InvalidInput(
                f"the columns of a batch of {count:,} entries differ in length: {list(map(len, columns))} rows and "
                f"{len(self.digests):,} bytes of digests. Give every column one value for each path."
            )
        if count and (min(map(min, columns)) < 0 or max(self.object_indexes) >= len(self.objects)):
            raise InvalidInput(
                f"a batch of {count:,} entries has a negative number, or an object index of "
                f"{len(self.objects):,} or more. Sizes and offsets are at least 0, and indexes "
                "name one of the listed objects."
            )
        rows = self.executable
        if rows and (rows[0] < 0 or rows[-1] >= count or any(row >= later for row, later in pairwise(rows))):
            raise InvalidInput(
                f"a batch of {count:,} entries lists executable rows that are not ascending numbers below {count:,}. "
                "Name each executable row once, in order."
            )


NO_FILES = FileEntries(paths=[], digests=b"", sizes=[], objects=[], object_indexes=[], offsets=[])


def file_leaves(
    paths: Iterable[str], packed_digests: Iterable[bytes], sizes: Iterable[int], executable: Collection[int] = ()
) -> list[bytes]:
    """The canonical leaf of each file: tag, length-prefixed path, length-prefixed digest, size, attributes.

    `executable`: the rows whose file is executable. The location is not part of a leaf. Lengths are 4 bytes (1 for the
    digest) and sizes 8 bytes, big-endian; a prefix before every variable field makes leaves unambiguous.
    """
    leaves = [
        b"%b%b%b%c%b%b%b"
        % (_FILE_TAG, len(name).to_bytes(4, "big"), name, len(digest), digest, size.to_bytes(8, "big"), _NO_ATTRIBUTES)
        for name, digest, size in zip(map(str.encode, paths), packed_digests, sizes, strict=True)
    ]
    for row in executable:
        leaves[row] = leaves[row].removesuffix(_NO_ATTRIBUTES) + _EXECUTABLE
    return leaves


def file_identity(digest: bytes, executable: bool) -> bytes:
    """What differs when a path has another file: its digest (stored form) or its executable bit."""
    return digest + b"x" if executable else digest


def reference_leaf(reference: Reference) -> bytes:
    """The canonical leaf of a reference: tag, length-prefixed path and URI, each optional field, attributes.

    Optional fields are length-prefixed too; an absent one is the length 0xffffffff, so that it differs from an empty
    one.
    """
    size = None if reference.size is None else reference.size.to_bytes(8, "big")
    optional = (_encode(reference.checksum), size, _encode(reference.object_version))
    fields = [reference.path.encode(), reference.uri.encode(), *optional]
    lengths = [b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") for value in fields]
    written = [length + (value or b"") for length, value in zip(lengths, fields, strict=True)]
    return b"".join((_REFERENCE_TAG, *written, _NO_ATTRIBUTES))


def _attributes(*names: bytes) -> bytes:
    """The end of a leaf: the number of attributes, then each length-prefixed name, sorted."""
    return len(names).to_bytes(4, "big") + b"".join(len(name).to_bytes(4, "big") + name for name in sorted(names))


_NO_ATTRIBUTES = _attributes()
_EXECUTABLE = _attributes(b"executable")


def _encode(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
