"""The port of blob stores: what every adapter promises."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from headwater_schemas.entries import BlobLocation

PACK_BYTES_MAX = 16 * 1024 * 1024  # a pack is held in memory while it is filled, so this bounds memory too
PACKED_FILE_BYTES_MAX = 1024 * 1024  # larger files are objects of their own
CHUNK_BYTES = 1024 * 1024
READ_MANY_BYTES_MAX = 16 * CHUNK_BYTES  # the results of one `read_many` are all in memory at once
UNREADABLE = -1  # the size of an object that exists and that the store cannot open, though it can others


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object in a listing."""

    name: str
    size: int  # bytes
    modified_s: float  # seconds since 1970, by the store's clock


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes in the store that are independent of their source, and no object yet."""

    handle: str  # opaque: only the adapter can interpret it
    size: int  # bytes
    digest: bytes | None  # stored form; None for a pack, whose contents each have their own
    name: str | None = None  # of the object, in stores that cannot rename and so have stored it under one


Watch = Callable[[str, int], None]  # what is done with a file, one of the next, and with how many more bytes
HASHING = "hashing"  # in stores that need the digest before the first byte is sent
STORING = "storing"
UPLOADING = "uploading"


def unwatched(activity: str, amount: int) -> None:
    """The `Watch` of those who do not look."""


def first_attempt(digest: bytes) -> int:  # noqa: ARG001
    """The attempt whose name content gets that was never lost, see `object_names`."""
    return 0


class BlobStore(Protocol):
    """Objects that are written once and read by range.

    Bytes are stored in two steps: `stage_*` writes them, once and in their final position; `publish` makes them an
    object under a name. In between, the caller can find out whether the store has them already. `project`,
    "entity/project", is where they will most likely be published: a store that cannot rename uses a name in it at once.

    Every adapter promises, and `tests/contract/test_blob_*.py` checks:

    - an object becomes visible whole or not at all, and survives a crash of the machine once `publish` has returned;
    - an object is never changed; publishing under a name that exists is fine and changes nothing;
    - staged bytes are named by no event; stores that cannot rename may list them already under their future name, and
      keep them there when they are discarded, if another writer may use the same name;
    - memory is bounded whatever the size, by CHUNK_BYTES a call or by what the adapter states (`stage_pack` is given
      its bytes);
    - every read is verified against the given digest: other bytes are an error that names the object, never data;
    - bytes of a killed writer are not visible as an object; `abandoned` lists them, and `reclaim` deletes them;
    - many processes and threads may use one store at once, also after a fork; a child can publish what its parent
      staged.

    Object names come from `headwater_schemas.object_names`.
    """

    def stage_pack(self, contents: Sequence[bytes], *, project: str) -> Staged:
        """Stage `contents`, one after the other, as one pack. Raises: StoreUnavailable when full, StoreReadOnly."""
        ...

    def stage_file(
        self,
        source: BinaryIO,
        algorithm: str,
        *,
        project: str,
        attempt: Callable[[bytes], int] = first_attempt,
        watch: Watch = unwatched,
    ) -> Staged:
        """Stage all of `source` (a regular file opened unbuffered for reading, at its beginning), hashing what is kept.

        By a reflink where the file system can, else by one copy. A store that needs the digest first reads it twice.
        A file that changes while it is read is read again, see `local_sources`.
        A store that cannot rename asks `attempt`, by the digest, for the attempt of the object's name. `watch` is
        called in this thread after each piece; what it raises ends the staging, and nothing is kept.
        Raises: as `stage_pack`; InvalidFile naming a file that changes each time.
        """
        ...

    def publish(self, staged: Staged, name: str) -> None:
        """Make `staged` the object `name`, durably. It can be published again under another name.

        Needs no copy where `name` is `staged.name`.
        """
        ...

    def discard(self, staged: Staged) -> None:
        """Delete `staged`; objects published from it stay. Discarding twice is fine.

        Where it is an object already, it is deleted only if no other writer can use it; else it becomes garbage, which
        is collected later.
        """
        ...

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The size in bytes of each of these objects that exists, or UNREADABLE. Cost: as little as the store can ask.

        Raises: StoreUnavailable, also where the whole store is gone: then nothing is known about its objects.
        """
        ...

    def read(self, location: BlobLocation, digest: bytes) -> bytes:
        """The bytes at `location`, for small content: all of it is in memory.

        Raises: BlobMissing; BlobCorrupt when they do not have `digest` (stored form) or are too few.
        """
        ...

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        """What `read` returns for each location and digest, in order; neighbours in one object need one access.

        All results are in memory, at most READ_MANY_BYTES_MAX. Raises: as `read`, for any one of them; InvalidInput
        when more is requested.
        """
        ...

    def stream(self, location: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        """The bytes at `location` in pieces of at most CHUNK_BYTES; a piece is valid until the next one is requested.

        BlobCorrupt is raised *instead of ending*, so a caller must not use the bytes before the iteration has ended.
        Raises: as `read`.
        """
        ...

    def local_file(self, location: BlobLocation) -> str | None:
        """The local file that holds exactly `location`; None where there is none. Changing it would damage the store.

        Its content is not verified.
        """
        ...

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every visible object whose name starts with `prefix`, in order of names."""
        ...

    def abandoned(self) -> Iterator[StoredObject]:
        """Staged bytes of all writers that are no object and not discarded, also of those that are at work."""
        ...

    def reclaim(self, *, idle_s: float, dry_run: bool) -> Iterator[StoredObject]:
        """Delete those of the `abandoned` bytes that no writer can use any more, older than `idle_s` seconds.

        Yields each with the bytes that this frees; with `dry_run` the same, and deletes nothing. Safe beside writers:
        where a store can tell that a writer lives, its bytes stay; else a writer that lost them sends them again.
        Raises: StoreUnavailable, StoreReadOnly.
        """
        ...

    def adopt(self, staged: Staged) -> Staged | None:
        """Take over what another process staged, did not discard, and left. None where it is gone or in use.

        Raises: StoreUnavailable, StoreReadOnly.
        """
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects. A name that does not exist is fine."""
        ...

    def close(self) -> None:
        """Close files and connections. Closing twice is fine."""
        ...
