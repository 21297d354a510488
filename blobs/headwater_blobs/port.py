"""What every blob store promises."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from headwater_schemas.entries import BlobLocation

PACK_BYTES_MAX = 16 * 1024 * 1024  # a pack is held in memory while it is filled, so this bounds memory too
PACKED_FILE_BYTES_MAX = 1024 * 1024  # larger files are objects of their own
CHUNK_BYTES = 1024 * 1024
READ_MANY_BYTES_MAX = 16 * CHUNK_BYTES  # the results of one `read_many` are all in memory at once


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object, as a listing shows it."""

    name: str
    size: int  # bytes
    modified_s: float  # seconds since 1970, by the store's clock


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes that were taken and are safe from their source."""

    location: str  # the adapter's own business
    size: int  # bytes
    digest: bytes | None  # stored form; None for a pack, whose contents each have their own
    name: str | None = None  # the object that it is already, in stores that cannot rename


class BlobStore(Protocol):
    """Objects that are written once and read by range.

    Bytes come in two steps: `stage_*` takes them (written once, where they will stay), `publish` makes them an object
    under its name. Between the two lies the question whether the store has them already. `project`, "entity/project",
    is where they will most likely be published: a store that cannot rename gives them a name in it at once.

    Every adapter promises, and `tests/contract/test_blob_*.py` checks:

    - an object becomes visible whole or not at all, and survives a crash of the machine once `publish` has returned;
    - an object is never changed; publishing under a name that is there is fine and changes nothing;
    - nothing that was only staged is referred to by any event; stores that cannot rename may show it already under the
      name it will have, and keep it there when it is discarded, if others may have the same;
    - memory is bounded whatever the size, by CHUNK_BYTES a call or by what the adapter states (`stage_pack` is given
      its bytes);
    - every read is verified against the digest it was asked with: other bytes are an error that names the object,
      never data;
    - what a killed writer leaves is not visible as an object, and `abandoned` lists it;
    - many processes and threads may use one store at once, also after a fork; what a parent staged, its child can
      publish too.

    Object names come from `headwater_schemas.object_names`.
    """

    def stage_pack(self, contents: Sequence[bytes], *, project: str) -> Staged:
        """Take `contents`, one after the other. Raises: StoreUnavailable when the disk is full, StoreReadOnly."""
        ...

    def stage_file(self, source: BinaryIO, algorithm: str, *, project: str) -> Staged:
        """Take all of `source` (a regular file opened unbuffered for reading, at its beginning), hashing what is kept.

        A reflink where the file system can, one copy where not. Where the digest is needed first, it is read twice.
        Raises: as `stage_pack`; InvalidFile when it is read twice and changes each time.
        """
        ...

    def publish(self, staged: Staged, name: str) -> None:
        """Make `staged` the object `name`, durably. `staged` can be published again under another name.

        Without a copy where `name` is `staged.name`.
        """
        ...

    def discard(self, staged: Staged) -> None:
        """Forget `staged`; objects published from it stay. Discarding twice is fine.

        Where it is an object already it goes only if nobody else can have it; else it is garbage, to be collected.
        """
        ...

    def have(self, names: Iterable[str]) -> set[str]:
        """Which of these objects are there."""
        ...

    def read(self, place: BlobLocation, digest: bytes) -> bytes:
        """The bytes at `place`. For small content: all of it is held in memory.

        Raises: BlobMissing; BlobCorrupt when they do not have `digest` (stored form) or are too few.
        """
        ...

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        """What `read` gives for each place and digest, in the order asked; neighbours in an object cost one access.

        The bytes of the whole call are held in memory, at most READ_MANY_BYTES_MAX. Raises: as `read`, for one
        that fails, and InvalidInput when more is asked for.
        """
        ...

    def stream(self, place: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        """The bytes at `place` in pieces of at most CHUNK_BYTES; a piece is valid until the next is asked for.

        BlobCorrupt comes *instead of the end*, so a caller must not show what it wrote before the iteration is over.
        Raises: as `read`.
        """
        ...

    def file_of(self, place: BlobLocation) -> str | None:
        """The local file that is `place` and no more; None where there is none. Whoever changes it damages the store.

        What is in it is not looked at.
        """
        ...

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every visible object whose name starts with `prefix`, in order of names."""
        ...

    def abandoned(self) -> Iterator[StoredObject]:
        """What is staged by anyone, is no object and is not discarded: safe to remove once its writer is gone."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects. A name that is not there is fine."""
        ...

    def close(self) -> None:
        """Let go of files and connections. Closing twice is fine."""
        ...
