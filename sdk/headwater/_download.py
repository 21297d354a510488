"""Download a version: fetch what is missing or damaged, leave alone what is there and right.

Small files are read many at a time and written by one thread, because most of their cost is Python's and the file
system's; large files by several. What landed stays, so a download that was cut off goes on where it was.
"""

import os
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from headwater_blobs.port import PACKED_FILE_BYTES_MAX, BlobStore
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_schemas.entries import Place
from headwater_schemas.errors import InvalidInput, InvalidPath
from headwater_schemas.paths import find_invalid, folders_of, normalize

from headwater._progress import Progress
from headwater._target import Target

ENTRIES_HELD_MAX = 100_000  # about 30 MB; a longer listing is read twice instead of held
BYTES_PER_TURN = 4 * 1024 * 1024  # of small files, in memory at once
FILES_PER_TURN = 1024
LARGE_FILES_AT_ONCE = min(4, os.cpu_count() or 1)

Page = Sequence[queries.EntryInfo]


def download(database: Database, blobs: BlobStore, layers: tuple[int, ...], root: Path, *, prefix: str = "") -> None:
    """Put the files of a version, those below the folder `prefix` ("" for all), into `root` under their own paths.

    A file that is there is kept when it has the recorded content, else replaced; files that the version does not have
    are left alone. Raises: InvalidInput when an entry is a reference, and InvalidPath, before anything is written;
    InvalidFile for what cannot be written, or for names that this disk does not tell apart; BlobMissing, BlobCorrupt.
    """
    wanted = _wanted(database, layers, normalize(prefix) if prefix else "")
    with Target(os.fspath(root)) as target, Progress("downloading", total=wanted.size_bytes, unit="B") as progress:
        fetching = _Fetching(blobs, target, progress)
        if _ignores_case(fetching, target, wanted.first):
            _refuse_collisions(wanted.pages(), target.root)
        for page in wanted.pages():
            fetching.fetch(page)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be fetched, checked."""

    pages: Callable[[], Iterable[Page]]  # read anew, or held
    first: Page  # empty when there is nothing
    size_bytes: int


def _wanted(database: Database, layers: tuple[int, ...], prefix: str) -> _Wanted:
    held: list[Page] = []
    count = size_bytes = 0
    first: Page = ()
    for page in queries.all_entries(database, layers, prefix=prefix):
        _check(page)
        first = first or page
        count += len(page)
        size_bytes += sum(info.size or 0 for info in page)
        if count <= ENTRIES_HELD_MAX:
            held.append(page)
        else:
            held.clear()
    if count <= ENTRIES_HELD_MAX:
        return _Wanted(lambda: held, first, size_bytes)
    return _Wanted(lambda: queries.all_entries(database, layers, prefix=prefix), first, size_bytes)


def _check(page: Page) -> None:
    for info in page:
        if info.digest is None:
            raise InvalidInput(
                f"{info.path!r} is a reference to {info.uri!r}, and its content is not stored here, so it cannot be "
                "downloaded. Fetch it from there, or download a folder without it. Nothing was written."
            )
    # Whoever wrote the events checked this; but what it keeps is the reader's own disk.
    if (invalid := find_invalid([info.path for info in page])) is not None:
        raise InvalidPath(f"the version names {invalid!r}, which could lead out of the folder. Nothing was written.")


class _Fetching:
    """Fetches files that the target lacks."""

    def __init__(self, blobs: BlobStore, target: Target, progress: Progress) -> None:
        self._blobs = blobs
        self._target = target
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = False

    def fetch(self, page: Page) -> None:
        """Make every file of `page` be there. Raises: what `download` raises; what landed before stays."""
        holds, wanted = self._target.holds, []
        large = [info for info in page if _size(info) > PACKED_FILE_BYTES_MAX]
        for info in page:
            if _size(info) > PACKED_FILE_BYTES_MAX:
                continue
            if holds(info.path, _size(info), _digest(info)):
                self._advance(_size(info))
            else:
                wanted.append(info)
        for turn in _turns(wanted):
            self._fetch_small(turn)
        if large:
            self._fetch_large(large)

    def _fetch_small(self, turn: Page) -> None:
        contents = self._blobs.read_many([(_place(info), _digest(info)) for info in turn])
        land = self._target.land
        for info, content in zip(turn, contents, strict=True):
            land(info.path, (content,))
        self._advance(sum(map(len, contents)))

    def _fetch_large(self, infos: Page) -> None:
        with ThreadPoolExecutor(LARGE_FILES_AT_ONCE, "headwater-downloading") as pool:
            try:
                for _ in pool.map(self._fetch_one, infos):
                    pass
            except BaseException:
                self._stopped = True  # the others must not go on for as long as a large file takes
                raise

    def _fetch_one(self, info: queries.EntryInfo) -> None:
        if self._target.holds(info.path, _size(info), _digest(info)):
            self._advance(_size(info))
        else:
            self._target.land(info.path, self._counted(self._blobs.stream(_place(info), _digest(info))))

    def _counted(self, pieces: Iterable[memoryview]) -> Iterator[memoryview]:
        for piece in pieces:
            if self._stopped:
                raise CancelledError
            yield piece
            self._advance(len(piece))

    def _advance(self, size: int) -> None:
        with self._lock:
            self._progress.advance(size)


def _turns(infos: Page) -> Iterator[Page]:
    """`infos` in turns of bounded number and bytes."""
    turn: list[queries.EntryInfo] = []
    size = 0
    for info in infos:
        if turn and (size + _size(info) > BYTES_PER_TURN or len(turn) == FILES_PER_TURN):
            yield turn
            turn, size = [], 0
        turn.append(info)
        size += _size(info)
    if turn:
        yield turn


# --- disks that do not tell README from readme --------------------------------------------------------------------


def _ignores_case(fetching: _Fetching, target: Target, page: Page) -> bool:
    """Whether the disk takes names for equal that differ in case.

    Only a name that is there can tell. It is one of the version's own, so that a killed process leaves nothing else.
    """
    cased = [(info, part) for info in page if (part := _cased_part(info.path))]
    if not cased:
        return False
    info, part = min(cased, key=lambda pair: (pair[1] == pair[0].path, _size(pair[0])))
    if part == info.path:
        fetching.fetch([info])
    else:
        target.make_folder(part)
    return target.is_found_as(part, part.rpartition("/")[2].swapcase())


def _cased_part(path: str) -> str | None:
    """`path`, or a folder on its way, whose name has another spelling of the same length; folders first."""
    for part in (*folders_of(path), path):
        name = part.rpartition("/")[2]
        other = name.swapcase()
        if other != name and len(other.encode()) == len(name.encode()):
            return part
    return None


def _refuse_collisions(pages: Iterable[Page], root: str) -> None:
    """Raises: InvalidPath naming two files or folders that would be one."""
    spelled: dict[str, str] = {}
    for page in pages:
        for info in page:
            for part in (*folders_of(info.path), info.path):
                other = spelled.setdefault(unicodedata.normalize("NFC", part.casefold()), part)
                if other != part:
                    raise InvalidPath(
                        f"{other!r} and {part!r} would be one on the disk of {root!r}, which does not tell upper from "
                        "lower case. Download to a disk that does."
                    )


def _size(info: queries.EntryInfo) -> int:
    assert info.size is not None
    return info.size


def _digest(info: queries.EntryInfo) -> bytes:
    assert info.digest is not None
    return info.digest


def _place(info: queries.EntryInfo) -> Place:
    assert info.object_name is not None
    assert info.start is not None
    assert info.size is not None
    return Place(info.object_name, info.start, info.size)
