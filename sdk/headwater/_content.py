"""What a version that is being built will hold: paths with digest and size, and the sum of it all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater_schemas.entries import file_leaves
from headwater_schemas.errors import InvalidPath
from headwater_schemas.paths import colliding_forms, folders_of

if TYPE_CHECKING:  # importing it loads NumPy, which nobody needs before there is something to sum
    from headwater_schemas.lthash import ContentSum

FileDigest = tuple[bytes, int]  # digest in the stored form, size in bytes


@dataclass(frozen=True, slots=True)
class Difference:
    """How content differs from content of another digest."""

    digest: str  # the version digest of what it is compared with
    changed: Sequence[str]  # paths that are new or have another digest
    removed: Sequence[str]


class Content:
    """Files by path. A path that is put twice holds what was put last."""

    def __init__(self) -> None:
        self.files: dict[str, FileDigest] = {}
        self.known_difference: Difference | None = None  # from the tree's last scan, while nothing else was put
        self._folders: set[str] = set()
        self._sum: ContentSum | None = None

    def put(self, paths: Sequence[str], digests: Sequence[bytes], sizes: Sequence[int]) -> None:
        """Add files, all or none. Raises: InvalidPath when a path would be a file and a folder at once, or collides."""
        self.check(paths)
        self._sum = None
        self.known_difference = None
        self._folders |= _folders(paths)
        self.files.update(zip(paths, zip(digests, sizes, strict=True), strict=True))

    def put_tree(
        self,
        paths: Sequence[str],
        digests: Sequence[bytes],
        sizes: Sequence[int],
        total: "ContentSum",
        difference: Difference | None,
    ) -> None:
        """Add the files of a scanned folder, whose sum is known, with their difference from the last scan."""
        alone = not self.files
        self.put(paths, digests, sizes)
        if alone:
            self._sum = total
            self.known_difference = difference

    def check(self, paths: Sequence[str]) -> None:
        """Raises: InvalidPath when `paths` cannot be added to what is there."""
        folders = _folders(paths)
        for path in self._folders.union(folders).intersection(paths):
            raise InvalidPath(f"{path!r} would be a file and a folder at once. Rename one of them.")
        for folder in folders.intersection(self.files):
            raise InvalidPath(f"{folder!r} would be a file and a folder at once. Rename one of them.")
        unusual = [path for path in paths if not path.isascii()]
        if unusual and (both := colliding_forms([*self.files, *unusual])):
            raise InvalidPath(f"{both[0]!a} and {both[1]!a} look the same to a reader. Rename one of them.")

    def sum(self) -> "ContentSum":
        """The sum of all entries; with it the version's digest. Cost: about a microsecond an entry, once."""
        from headwater_schemas.lthash import sum_of

        if self._sum is None:
            digests, sizes = zip(*self.files.values(), strict=True) if self.files else ((), ())
            self._sum = sum_of(file_leaves(self.files, digests, sizes), sum(sizes))
        return self._sum


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder that `paths` imply."""
    direct = {path.rpartition("/")[0] for path in paths}
    direct.discard("")
    return direct.union(*map(folders_of, direct))
