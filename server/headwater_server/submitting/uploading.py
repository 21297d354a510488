"""One content of any size, received and stored in bounded memory.

Its object's name is the server's own, was never used, and says nothing about the content: so no name is written twice.
"""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from headwater_blobs.port import StagedStream
from headwater_producer.staged_blobs import published_anew
from headwater_schemas import digests
from headwater_schemas.digests import Hasher
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import InvalidInput

from headwater_server.limits import UPLOAD_PIECES_MAX, UPLOAD_STRETCH_BYTES
from headwater_server.service import Service
from headwater_server.submitting.receipts import Receipts


@dataclass(frozen=True, slots=True)
class Stored:
    """A content that a server stored."""

    project: str
    digest: bytes  # stored form, as the server computed it
    place: BlobLocation


class Upload:
    """A content that is being stored. From any thread: of a request that is cut off, one may be writing still."""

    def __init__(
        self,
        service: Service,
        project: str,
        algorithm: str,
        stream: StagedStream,
        hasher: Hasher | None,
        size: int = 0,
    ) -> None:
        """`stream` and `hasher` have `size` bytes of it; without a `hasher` its digest is not known at the end."""
        self.size = size
        self._lock = threading.RLock()
        self._blobs, self._stored = service.stores.blobs, service.stored
        self._project, self._algorithm = project, algorithm
        self._stream, self._hasher = stream, hasher

    @classmethod
    def begin(cls, service: Service, project: str, algorithm: str, size: int) -> "Upload":
        """`size`: about how large it will be. Raises: StoreUnavailable, StoreReadOnly."""
        stream = service.stores.blobs.stage_stream(project=project, size=size)
        return cls(service, project, algorithm, stream, digests.new_hasher(algorithm))

    def write(self, pieces: Iterable[bytes | memoryview]) -> None:
        """Add these, one after the other. Raises: StoreUnavailable."""
        with self._lock:
            for piece in pieces:
                if self._hasher is not None:
                    self._hasher.update(piece)
                self._stream.write(piece)
                self.size += len(piece)

    def digest(self) -> bytes | None:
        """Of what was written, in the stored form."""
        return None if self._hasher is None else digests.pack(self._algorithm, self._hasher.digest())

    def store(self) -> BlobLocation:
        """Make it an object. Raises: StoreUnavailable, StoreReadOnly."""
        staged = self._stream.finish()
        name = published_anew(self._blobs, staged, self._project)
        self._stored.note_put(name, staged.size)
        return BlobLocation(name, 0, staged.size)

    def finish(self, expected: bytes | None) -> Stored:
        """Make it an object. Raises: InvalidInput, with nothing kept, where it is not the content that was `expected`.

        Raises: StoreUnavailable, StoreReadOnly.
        """
        digest = self.digest()
        assert digest is not None
        try:
            check_digest(digest, expected)
        except InvalidInput:
            self.abort()
            raise
        return Stored(self._project, digest, self.store())

    def abort(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._stream.abort()

    def copy(self, pieces: Iterable[memoryview], expected: bytes) -> Stored:
        """All of this content, which is here already."""
        try:
            self.write(pieces)
            return self.finish(expected)
        except BaseException:
            self.abort()
            raise


def check_digest(digest: bytes, expected: bytes | None) -> None:
    """Raises: InvalidInput for content that is not what its client said."""
    if expected is not None and digest != expected:
        raise InvalidInput(
            f"the content that arrived has {digests.to_text(digest)}, not {digests.to_text(expected)}: it was changed "
            "on its way, or while it was read. Send it again."
        )


def answer_of(stored: Stored, receipts: Receipts) -> dict[str, Any]:
    """What is answered to who uploaded it; it goes into the commit as it is."""
    receipt = receipts.of(stored.project, {stored.digest: stored.place})
    return {"digest": digests.to_text(stored.digest), "size": stored.place.size, "receipt": text_of(receipt)}


def text_of(receipt: bytes) -> str:
    """A receipt in JSON."""
    return base64.b64encode(receipt).decode()


async def receive(
    service: Service, upload: Upload, pieces: AsyncIterator[bytes], *, bytes_max: int, expected: bytes | None
) -> Stored:
    """Store what arrives. Raises: as `write_pieces` and `Upload.finish`."""
    try:
        await write_pieces(service, upload, pieces, bytes_max=bytes_max)
        return await service.transfer(upload.finish, expected)
    except BaseException:
        await asyncio.shield(service.transfer(upload.abort))
        raise


async def write_pieces(service: Service, upload: Upload, pieces: AsyncIterator[bytes], *, bytes_max: int) -> None:
    """Write what arrives. Some pieces are written while the next arrive; where these do not, all are that did.

    Raises: InvalidInput when more than `bytes_max` arrive; as `Upload.write`; what `pieces` raises.
    """
    writing: asyncio.Future[None] | None = None
    gathered, gathered_bytes, size = list[bytes](), 0, 0
    try:
        async for piece in pieces:
            size += len(piece)
            if size > bytes_max:
                raise InvalidInput(f"the content has more than {bytes_max:,} bytes. Send less at once.")
            gathered.append(piece)  # as it is: to copy it costs as much as to hash it
            gathered_bytes += len(piece)
            if gathered_bytes >= UPLOAD_STRETCH_BYTES or len(gathered) >= UPLOAD_PIECES_MAX:
                if writing is not None:
                    await asyncio.shield(writing)  # a thread that writes cannot be cancelled
                writing = asyncio.ensure_future(service.transfer(upload.write, gathered))
                gathered, gathered_bytes = [], 0
    finally:
        if writing is not None:
            await asyncio.shield(writing)
        await asyncio.shield(service.transfer(upload.write, gathered))
