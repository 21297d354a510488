"""A large file on its way to a server, in several requests: where one breaks off, the next goes on.

Which bytes the server has is asked of it, or of any other server of the store. So it does not matter who sent them: a
process that was killed and runs again goes on, and so do several that send the same file at once.
"""

import binascii
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

from headwater_blobs.local_sources import SourceChanged, read_at
from headwater_blobs.port import CHUNK_BYTES, UPLOADING, Watch
from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput, StoreUnavailable

from headwater_stores.http.connection import BACKOFF, Answer, Body, ServerConnection
from headwater_stores.telling.waiting import telling

RANGED_BYTES_MIN = 64 * 1024 * 1024  # smaller files go in one request
BUSY_S_MAX = 3600.0  # while another request brings the same bytes, or the server reads all of them once more
BEGUN_MAX = 5  # uploads of one file, each of which was lost

_MEDIA_TYPE = "application/partial-upload"
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class RangedUpload:
    """One file, which has this digest and size unless it changes."""

    def __init__(
        self, server: ServerConnection, project: str, source: int, digest: bytes, size: int, watch: Watch
    ) -> None:
        self._server, self._uploads = server, f"/v1/projects/{project}/contents/uploads"
        self._source, self._digest, self._size, self._watch = source, digest, size, watch
        self._watched = 0  # bytes that were told of: those that are sent again are not told of again
        self._begun = 0
        self._is_sole = True  # whether the server has nothing but what this object sent without trouble
        self._failures, self._failing_since_s = 0, 0.0
        self._told = ExitStack()

    def receipt(self) -> bytes:
        """Send what the server does not have; its receipt for all of it.

        Raises: SourceChanged; InvalidInput for content that is not what it was; StoreUnavailable when the server stays
        away, or nothing more arrives there.
        """
        with self._told:
            found = self._begin()
            while "receipt" not in found:
                found = self._further(found)
        self._note(self._size)
        return binascii.a2b_base64(str(found["receipt"]))

    def _begin(self) -> Any:
        """Where the server is with this file."""
        self._begun += 1
        if self._begun > BEGUN_MAX:
            raise StoreUnavailable(
                f"{self._server.name} lost each of {BEGUN_MAX} uploads of a file before it was complete. Check how "
                "soon its store drops incomplete uploads, and try again."
            )
        found = self._server.call(self._uploads, {"size": self._size, "digest": digests.to_text(self._digest)})
        self._is_sole = self._is_sole and not found.get("offset", self._size)
        return found

    def _further(self, found: Any) -> Any:
        """Where the server is after one more request."""
        path, offset = f"{self._uploads}/{found['id']}", int(found["offset"])
        self._note(offset)
        try:
            answer = self._send(path, offset, int(found["range_bytes"]))
        except InvalidInput:
            if self._is_sole:
                raise
            self._is_sole = True  # what was there before may be damaged: all of it is sent, once
            return self._begin()
        except StoreUnavailable as error:
            self._is_sole = False
            self._pause(error, is_busy=bool(found["busy"]))
            answer = self._server.request("GET", path, answers=_GONE)
        if answer.status in _GONE:
            return self._begin()
        now = answer.json
        if "receipt" in now or int(now["offset"]) > offset:
            self._failures = 0
            self._told.close()
        return now

    def _send(self, path: str, offset: int, range_bytes: int) -> Answer:
        """The answer to what follows from `offset`. It is not sent again: what arrived is asked for first."""
        end = min(self._size, offset + range_bytes)
        headers = {"Content-Type": _MEDIA_TYPE, "Upload-Offset": str(offset)}
        headers["Upload-Complete"] = "?1" if end == self._size else "?0"
        body = Body(lambda: self._pieces(offset, end), end - offset)
        return self._server.request("PATCH", path, body, headers=headers, outage_s=0.0, answers=_GONE)

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Raises: SourceChanged."""
        for at in range(start, end, CHUNK_BYTES):
            piece = read_at(self._source, at, min(CHUNK_BYTES, end - at))
            if len(piece) < min(CHUNK_BYTES, end - at):
                raise SourceChanged
            yield piece
            self._note(at + len(piece))

    def _note(self, reached: int) -> None:
        """So much of the file is there, or on its way."""
        if reached > self._watched:
            self._watch(UPLOADING, reached - self._watched)
            self._watched = reached

    def _pause(self, error: StoreUnavailable, *, is_busy: bool) -> None:
        """Before the server is asked again. Raises: `error`, when nothing has arrived for too long."""
        now_s = time.monotonic()
        if not self._failures:
            self._failing_since_s = now_s
            found, _, _ = str(error).partition(". ")
            self._told.enter_context(telling(lambda: f"{found}; the upload goes on from there"))
        self._failures += 1
        pause_s = BACKOFF.pause_s(self._failures)
        most_s = BUSY_S_MAX if is_busy else self._server.outage_s
        if now_s + pause_s > self._failing_since_s + most_s:
            raise error
        time.sleep(pause_s)
