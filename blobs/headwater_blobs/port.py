"""The port of blob stores: what every adapter promises."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import StoreNotAnswering, StoreUnavailable

PACK_BYTES_MAX = 16 * 1024 * 1024  # a pack is held in memory while it is filled, so this bounds memory too
PACKED_FILE_BYTES_MAX = 1024 * 1024  # larger files are objects of their own
# A piece that is read, hashed and written while a core's cache holds it: one of 1 MiB took up to four times as long.
CHUNK_BYTES = 256 * 1024
READ_MANY_BYTES_MAX = 16 * 1024 * 1024  # the results of one `read_many` are all in memory at once
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


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of a stream: plain values, by which any process that has the store can go on with it."""

    handle: str  # opaque: only the adapter can interpret it
    size: int  # bytes that are kept, durably
    step: int  # as `BlobStore.stream_step` told, when the stream began
    proof: str  # of which bytes they are, where the store may have others under this handle by then; else ""

    def to_text(self) -> str:
        """To be written down."""
        return json.dumps([self.handle, self.size, self.step, self.proof])

    @classmethod
    def of_text(cls, text: str) -> "Kept":
        """What `to_text` made."""
        return cls(*json.loads(text))


class KeptLost(StoreUnavailable):
    """What was kept of a stream is gone, or not what it was: all of it has to be sent again."""


class KeptInUse(StoreNotAnswering):
    """What was kept of a stream is in use: another process goes on with it, or looks whether it was left."""


Watch = Callable[[str, int], None]  # what is done with a file, one of the next, and with how many more bytes
HASHING = "hashing"  # in stores that need the digest before the first byte is sent
STORING = "storing"
UPLOADING = "uploading"


def unwatched(activity: str, amount: int) -> None:
    """The `Watch` of those who do not look."""


def first_attempt(digest: bytes) -> int:  # noqa: ARG001
    """The attempt whose name content gets that was never lost, see `object_names`."""
    return 0


class StagedStream(Protocol):
    """Bytes that are being staged, of a source that comes piece by piece. For one thread at a time."""

    def write(self, piece: bytes | memoryview) -> None:
        """Add a piece. Raises: StoreUnavailable when full or not answering; then only `abort` is left."""
        ...

    def finish(self) -> Staged:
        """Stage what was written, durably. Raises: as `write`."""
        ...

    def abort(self) -> None:
        """Keep nothing, also of what was kept before. After `finish` or `leave`, or twice, it does nothing."""
        ...

    def keep(self) -> Kept | None:
        """Make what was written so far durable, as far as the store can; the stream can go on.

        It may be less than was written: see `BlobStore.stream_step`. None where there is nothing, and in stores that
        cannot. Raises: as `write`; what was kept before stays so.
        """
        ...

    def leave(self) -> None:
        """Let go of it: what `keep` returned last can be continued, by any process. What was written since is lost."""
        ...


class ContentReads(Protocol):
    """The reading methods of a `BlobStore`, for who only reads contents."""

    def read(self, location: BlobLocation, digest: bytes) -> bytes: ...

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]: ...

    def stream(self, location: BlobLocation, digest: bytes) -> Iterator[memoryview]: ...

    def stream_part(self, location: BlobLocation, start: int, size: int) -> Iterator[memoryview]: ...

    def local_file(self, location: BlobLocation) -> str | None: ...


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
      of a part only its length is;
    - bytes of a killed writer are not visible as an object; `abandoned` lists them, and `reclaim` deletes them;
    - many processes and threads may use one store at once, also after a fork; a child can publish what its parent
      staged.

    Object names come from `headwater_schemas.object_names`.
    """

    def stage_pack(self, contents: Sequence[bytes], *, project: str, algorithm: str | None = None) -> Staged:
        """Stage `contents`, one after the other, as one pack. Raises: StoreUnavailable when full, StoreReadOnly.

        `algorithm`: by which events will name them, for a store that computes digests itself.
        """
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

    def goes_along(self, contents: Sequence[bytes]) -> bool:
        """Whether these would go along with their events, so that asking whether they are stored would cost more."""
        ...

    def sent_in_vain(self, contents: Iterable[bytes]) -> dict[bytes, int]:
        """The sizes of those (digests in the stored form) that went along, and turned out to be stored already."""
        ...

    def stage_stream(self, *, project: str, size: int) -> StagedStream:
        """Begin to stage about `size` bytes of a source that comes piece by piece, and whose digest nobody knows yet.

        It is staged like a pack: a store that cannot rename uses a name that was never used. Raises: as `stage_pack`.
        """
        ...

    def stream_step(self, size: int) -> int:
        """Of a stream of `size` bytes, what is kept before its end is a multiple of so many bytes."""
        ...

    def continue_stream(self, kept: Kept) -> StagedStream:
        """Go on with a stream after the bytes that were kept, also those of a process that was killed.

        Raises: KeptLost when they were discarded or collected, or are not the same; KeptInUse; as `stage_pack`.
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

    def outlives(self, staged: Staged, names: Collection[str]) -> bool:
        """Whether the bytes of `staged` are still there once these objects are deleted, to be published anew."""
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

    def stream_part(self, location: BlobLocation, start: int, size: int) -> Iterator[memoryview]:
        """`size` of the bytes at `location`, from `start` of them, as `stream` yields them; not verified.

        A digest is of all bytes: who puts the parts together verifies them.
        Raises: as `read`; BlobCorrupt instead of ending when there are fewer.
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
        """Delete objects, and free their bytes: where the store keeps versions of them, all of these.

        A name that does not exist is fine. Raises: NotFreed with the names of those whose bytes are still there, as
        they are protected or a right is missing, when all others are deleted; StoreUnavailable, StoreReadOnly.
        """
        ...

    def close(self) -> None:
        """Close files and connections. Closing twice is fine."""
        ...
