"""Contents that arrive in several requests, at any server of the store. What arrived is kept when a request breaks off.

The operational tables say how far each upload is and which request holds it; its bytes are where the store stages them.
A server that has hashed an upload so far remembers that between two requests. Where none has, after a crash or at
another server, the content is read once more when it is complete, before anybody hears of it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from headwater_blobs.port import KeptLost
from headwater_consumer.operational.partial_uploads import (
    RENEW_S,
    PartialUpload,
    begin_upload,
    find_upload,
    forget_upload,
    note_object,
    release_upload,
    renew_upload,
    rested_upload,
    take_upload,
)
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import ContentError, InvalidInput, StoreError
from headwater_stores.partial_uploads import discard_upload

from headwater_server.http.problems import Problem, come_again, not_found
from headwater_server.limits import PARTIAL_UPLOADS_OF_PRINCIPAL_MAX, RANGE_BYTES
from headwater_server.service import Service
from headwater_server.submitting.receiving import Hashers, Receiving, expected_of
from headwater_server.submitting.uploading import Stored, check_digest, write_pieces

_BEGINNINGS_MAX = 3  # of one upload whose objects were collected
_ID_SHOWN_MAX = 40  # characters

_log = logging.getLogger("headwater.server")


class PartialUploads:
    """Those that one server is asked about."""

    def __init__(self, service: Service) -> None:
        self._service, self._operational = service, service.operational
        self._hashers = Hashers()
        self._bytes = service.metrics.counter(
            "upload_range_bytes", "Bytes of uploads in several requests that arrived."
        )

    def range_bytes(self, size: int) -> int:
        """How much of an upload of `size` bytes a request brings at least, unless it is the last one."""
        step = self._service.stores.blobs.stream_step(size)
        return -(-RANGE_BYTES // step) * step

    async def begin(
        self, principal: str, project: str, *, size: int, algorithm: str, expected: str | None
    ) -> PartialUpload:
        """A new upload, or the one that `principal` began for the same content. Raises: Problem for too many."""
        return await self._service.transfer(self._begin, principal, project, size, algorithm, expected)

    async def find(self, upload_id: str, principal: str, project: str) -> PartialUpload:
        """Raises: Problem for what is no upload of `principal`."""
        query = self._service.query
        found = await query(find_upload, self._operational, upload_id, principal=principal, project=project)
        if found is None:
            raise not_found(f"upload {upload_id[:_ID_SHOWN_MAX]}")
        return found

    async def append(
        self, upload: PartialUpload, offset: int, told: int | None, pieces: AsyncIterator[bytes]
    ) -> PartialUpload:
        """Add what arrives, after the first `offset` bytes; the upload after that.

        `told`: how much is said to arrive. Raises: Problem; InvalidInput, with nothing kept, when it turns out to be
        another content than was said; StoreError.
        """
        async with self._holding(upload) as held:
            self._check(held, offset, told)
            try:
                if not held.object_name:
                    held = await self._receive(held, pieces)
                if held.object_name and not held.digest:
                    held = await self._service.transfer(self._identify, held)
            except (KeptLost, ContentError) as error:
                _log.warning("An upload has to begin anew: %s", error)
                await self._service.query(forget_upload, self._operational, held)
                raise _lost(held) from None
            return replace(held, is_held=False)

    async def give_up(self, upload: PartialUpload) -> None:
        """Keep nothing of it. Raises: Problem while a request holds it; StoreError."""
        async with self._holding(upload) as held:
            await self._service.transfer(discard_upload, self._service.stores.blobs, self._operational, held)

    @asynccontextmanager
    async def _holding(self, upload: PartialUpload) -> AsyncIterator[PartialUpload]:
        held = await self._service.query(take_upload, self._operational, upload.id)
        if held is None:
            raise come_again("upload-busy", f"another request brings bytes of the upload {upload.id}.", "Wait for it.")
        renewing = asyncio.ensure_future(self._renew(held))
        try:
            yield held
        finally:
            renewing.cancel()
            await asyncio.shield(self._service.query(self._release, held))

    async def _renew(self, held: PartialUpload) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with suppress(StoreError):  # while it lasts there is time to try again
                await self._service.query(renew_upload, self._operational, held)

    def _release(self, held: PartialUpload) -> None:
        with suppress(StoreError):  # then it ends by itself, later
            release_upload(self._operational, held)

    def _check(self, held: PartialUpload, offset: int, told: int | None) -> None:
        """Refuse a request before its body is read. Raises: Problem, InvalidInput."""
        if offset != held.received:
            raise _elsewhere(held, offset)
        left = held.size - held.received
        if told is None:
            return
        if told > left:
            raise InvalidInput(f"{told:,} bytes are more than the {left:,} that this upload lacks. Send these alone.")
        if told < (least := min(left, self.range_bytes(held.size))):
            raise InvalidInput(f"{told:,} bytes are too few at once. Send at least {least:,}.")

    async def _receive(self, held: PartialUpload, pieces: AsyncIterator[bytes]) -> PartialUpload:
        """The upload with what arrived, which is an object if that is all of it."""
        transfer = self._service.transfer
        range_bytes = self.range_bytes(held.size)
        received = await transfer(Receiving, self._service, held, self._hashers, range_bytes)
        try:
            async with _until_stopping(self._service):
                await write_pieces(self._service, received, pieces, bytes_max=held.size - held.received)
            if received.size == held.size:
                return await transfer(received.complete)
            return await transfer(received.leave)
        except (InvalidInput, StoreError):
            await transfer(received.drop)
            raise
        except BaseException:  # it broke off, or this server ends
            await asyncio.shield(transfer(received.leave))
            raise
        finally:
            self._bytes.inc(received.size - held.received)

    # --- in threads

    def _begin(self, principal: str, project: str, size: int, algorithm: str, expected: str | None) -> PartialUpload:
        most = PARTIAL_UPLOADS_OF_PRINCIPAL_MAX
        for _ in range(_BEGINNINGS_MAX):
            upload = begin_upload(
                self._operational, principal, project, size=size, algorithm=algorithm, expected=expected, most=most
            )
            if upload is None:
                self._make_room(principal, project)
                continue
            if not upload.digest or self._is_usable(upload):
                return upload
            held = take_upload(self._operational, upload.id)  # its object was collected meanwhile
            if held is not None:
                forget_upload(self._operational, held)
        raise come_again("upload-busy", "others begin and end uploads of this content.", "Try again.")

    def _is_usable(self, upload: PartialUpload) -> bool:
        """Whether the object that it became is still there, and is to stay."""
        stored, name = self._service.stored, upload.object_name
        return stored.sizes([name]).get(name) == upload.size and not stored.condemned([name])

    def _make_room(self, principal: str, project: str) -> None:
        """Give up the upload of `principal` that rests longest. Raises: Problem where all of them go on."""
        rested = rested_upload(self._operational, principal, project)
        held = None if rested is None else take_upload(self._operational, rested)
        if held is None:
            most = f"{PARTIAL_UPLOADS_OF_PRINCIPAL_MAX:,}"
            raise come_again(
                "too-many-uploads",
                f"{most} uploads of yours to {project} are on their way, the bound of one.",
                "Finish some, or give them up.",
                of_caller=True,
            )
        discard_upload(self._service.stores.blobs, self._operational, held)

    def _identify(self, held: PartialUpload) -> PartialUpload:
        """Read all of a content whose digest nobody knows yet."""
        blobs, place = self._service.stores.blobs, BlobLocation(held.object_name, 0, held.size)
        hasher = digests.new_hasher(held.algorithm)
        for piece in blobs.stream_part(place, 0, held.size):
            hasher.update(piece)
        digest = digests.pack(held.algorithm, hasher.digest())
        try:
            check_digest(digest, expected_of(held))
        except InvalidInput:
            discard_upload(blobs, self._operational, held)
            raise
        note_object(self._operational, held, held.object_name, digest=digests.to_text(digest))
        return replace(held, digest=digests.to_text(digest))


@asynccontextmanager
async def _until_stopping(service: Service) -> AsyncIterator[None]:
    """A block that ends when the server begins to stop: another server goes on. Raises: Problem then."""
    event = service.stopping()
    try:
        async with asyncio.timeout(None) as block:
            stopping = asyncio.ensure_future(event.wait())
            end = partial(_end_now, block)
            stopping.add_done_callback(end)
            try:
                yield
            finally:
                stopping.remove_done_callback(end)
                stopping.cancel()
    except TimeoutError:
        raise come_again("stopping", "this server is stopping.", "Ask how far the upload is, and go on.") from None
    finally:
        service.forget(event)


def _end_now(block: asyncio.Timeout, _: object) -> None:
    block.reschedule(0.0)


def stored_of(upload: PartialUpload) -> Stored | None:
    """What an upload became, once it is complete."""
    if not upload.digest:
        return None
    return Stored(upload.project, digests.of_text(upload.digest), BlobLocation(upload.object_name, 0, upload.size))


def _elsewhere(held: PartialUpload, offset: int) -> Problem:
    return Problem(
        HTTPStatus.CONFLICT,
        "offset-mismatch",
        f"the upload {held.id} is at byte {held.received:,}, not at {offset:,}.",
        "Send what follows there.",
        headers={"Upload-Offset": str(held.received)},
        more={"expected-offset": held.received, "provided-offset": offset},
    )


def _lost(upload: PartialUpload) -> Problem:
    return Problem(
        HTTPStatus.GONE,
        "upload-lost",
        f"what was kept of the upload {upload.id} is gone: it was collected, or expired in the store.",
        "Begin another.",
    )
