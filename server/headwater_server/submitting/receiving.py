"""What one request brings of an upload: hashed, staged and kept, in the threads of transfers."""

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from headwater_blobs.port import Kept
from headwater_consumer.operational.partial_uploads import (
    PartialUpload,
    UploadTaken,
    forget_upload,
    note_kept,
    note_object,
)
from headwater_schemas import digests
from headwater_schemas.digests import Hasher
from headwater_schemas.errors import InvalidInput

from headwater_server.limits import HASHERS_KEPT_MAX
from headwater_server.service import Service
from headwater_server.submitting.uploading import Upload, check_digest


class Hashers:
    """Of uploads that no request holds. What was not asked for longest goes first."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[int, Hasher]] = OrderedDict()

    def put(self, upload_id: str, size: int, hasher: Hasher) -> None:
        """`hasher` has the first `size` bytes."""
        self._of[upload_id] = size, hasher
        if len(self._of) > HASHERS_KEPT_MAX:
            with suppress(KeyError):  # another thread was faster
                self._of.popitem(last=False)

    def pop(self, upload_id: str, size: int) -> Hasher | None:
        """The one that has just these bytes."""
        known, hasher = self._of.pop(upload_id, (-1, None))
        return hasher if known == size else None


class Receiving(Upload):
    """What one request brings of an upload."""

    def __init__(self, service: Service, held: PartialUpload, hashers: Hashers, range_bytes: int) -> None:
        """Raises: KeptLost, StoreError."""
        blobs, received = service.stores.blobs, held.received
        if held.kept:
            stream = blobs.continue_stream(Kept.of_text(held.kept))
        else:
            stream = blobs.stage_stream(project=held.project, size=held.size)
        hasher = hashers.pop(held.id, received) if received else digests.new_hasher(held.algorithm)
        super().__init__(service, held.project, held.algorithm, stream, hasher, received)
        self._operational, self._hashers = service.operational, hashers
        self._held, self._range_bytes = held, range_bytes
        self._is_left = False

    def write(self, pieces: Iterable[bytes | memoryview]) -> None:
        """As `Upload.write`; what has arrived is kept now and then, so that a crash loses little of a long request."""
        with self._lock:
            self._refuse_if_left()
            super().write(pieces)
            if self.size - self._held.received >= self._range_bytes and self.size < self._held.size:
                self._keep()

    def leave(self) -> PartialUpload:
        """Keep what has arrived, for the next request. Raises: UploadTaken, StoreError."""
        with self._lock:
            try:
                if self.size > self._held.received:
                    self._keep()
                if self._hasher is not None and self.size == self._held.received:
                    self._hashers.put(self._held.id, self.size, self._hasher)
                return self._held
            finally:
                self._let_go()

    def drop(self) -> None:
        """Keep what was kept last."""
        with self._lock:
            self._let_go()

    def complete(self) -> PartialUpload:
        """Make an object of it. Raises: InvalidInput, with nothing kept, for another content than was said."""
        with self._lock:  # its request may be cut off meanwhile, and leaves it then
            self._refuse_if_left()
            digest = self.digest()
            if digest is not None:
                try:
                    check_digest(digest, expected_of(self._held))
                except InvalidInput:
                    self.abort()
                    forget_upload(self._operational, self._held)
                    raise
            name, text = self.store().object_name, "" if digest is None else digests.to_text(digest)
            note_object(self._operational, self._held, name, digest=text)
            self._held = replace(self._held, received=self._held.size, kept="", object_name=name, digest=text)
            return self._held

    def _refuse_if_left(self) -> None:
        """Raises: UploadTaken for what comes late: another request may have it by now."""
        if self._is_left:
            raise UploadTaken(self._held.id)

    def _let_go(self) -> None:
        self._is_left = True
        if self._held.kept:
            self._stream.leave()
        else:  # nobody could go on with it
            self._stream.abort()

    def _keep(self) -> None:
        kept = self._stream.keep()
        if kept is not None and kept.size > self._held.received:
            note_kept(self._operational, self._held, received=kept.size, kept=kept.to_text())
            self._held = replace(self._held, received=kept.size, kept=kept.to_text())


def expected_of(upload: PartialUpload) -> bytes | None:
    """The digest that its client said, in the stored form."""
    return None if upload.expected is None else digests.of_text(upload.expected)
