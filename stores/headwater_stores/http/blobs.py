"""The bytes of a store behind a server. Small ones go along with their events, larger ones are uploaded before.

Content is asked for by project and digest; names of objects are labels, see `labels`. What is read is verified here.
"""

import binascii
import json
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import BinaryIO, NoReturn

from headwater_blobs import verify
from headwater_blobs.local_sources import SourceChanged, digest_of, read_at, read_unchanged, state_of, unchanged
from headwater_blobs.port import (
    CHUNK_BYTES,
    READ_MANY_BYTES_MAX,
    UPLOADING,
    Kept,
    Staged,
    Watch,
    first_attempt,
    unwatched,
)
from headwater_schemas import digests, frames
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import InvalidInput, StoreNotAnswering, StoreUnavailable
from headwater_schemas.object_names import file_name, pack_name, project_of
from headwater_schemas.submissions import (
    CONTENT_MEDIA_TYPE,
    CONTENTS_MEDIA_TYPE,
    RECEIPT_MEDIA_TYPE,
    encode_contents,
)

from headwater_stores.http import uploads
from headwater_stores.http.connection import Body, ServerConnection
from headwater_stores.http.labels import CONFIRMED_BYTES, is_stored_label
from headwater_stores.http.ranges import RANGED_BYTES_MIN, RangedUpload
from headwater_stores.http.refusals import refuse

UPLOAD_S = 600.0  # for the server to answer an upload, once all of it is sent
READ_CONTENTS_MAX = 4096  # in one request
BREAKS_MAX = 5  # of one download, without a byte between them


class HttpBlobStore:
    """A `BlobStore` behind a server. Of what only operators do, it says where to do it."""

    def __init__(self, server: ServerConnection) -> None:
        self._server = server
        self.staged = uploads.staged_for(server.name)

    def stage_pack(self, contents: Sequence[bytes], *, project: str, algorithm: str | None = None) -> Staged:
        name, size = pack_name(project), sum(map(len, contents))
        algorithm = algorithm or digests.BLAKE3
        if self.staged.may_hold(len(contents), size):
            content = uploads.StagedContent(algorithm, contents)
        else:
            content = uploads.StagedContent(algorithm, (), {project: self._upload_pack(contents, project, algorithm)})
        self.staged.add(name, content)
        return Staged(name, size, None, name)

    def stage_file(
        self,
        source: BinaryIO,
        algorithm: str,
        *,
        project: str,
        attempt: Callable[[bytes], int] = first_attempt,
        watch: Watch = unwatched,
    ) -> Staged:
        """As the port says. The file is read twice: the server is asked first whether it has the content."""
        return read_unchanged(source, lambda: self._stage_file(source.fileno(), algorithm, project, attempt, watch))

    def goes_along(self, contents: Sequence[bytes]) -> bool:
        return self.staged.may_hold(len(contents), sum(map(len, contents)))

    def sent_in_vain(self, contents: Iterable[bytes]) -> dict[bytes, int]:
        return self.staged.in_vain(contents)

    def stage_stream(self, *, project: str, size: int) -> NoReturn:  # noqa: ARG002
        refuse("storing what comes piece by piece", self._server.name)

    def stream_step(self, size: int) -> NoReturn:  # noqa: ARG002
        refuse("storing what comes piece by piece", self._server.name)

    def continue_stream(self, kept: Kept) -> NoReturn:  # noqa: ARG002
        refuse("storing what comes piece by piece", self._server.name)

    def publish(self, staged: Staged, name: str) -> None:
        content, project = self.staged.get(staged.handle), project_of(name)
        if content is None:
            raise StoreUnavailable("what was staged is gone: it was discarded. Add its content again.")
        if not content.contents and content.receipts and project not in content.receipts:
            content.receipts[project] = self._copy(content.receipts, project)
        self.staged.publish(staged.handle, name)

    def discard(self, staged: Staged) -> None:
        """As the port says. What was uploaded becomes garbage, unless events named it."""
        self.staged.discard(staged.handle)

    def outlives(self, staged: Staged, names: Collection[str]) -> bool:  # noqa: ARG002 - the server knows the objects
        content = self.staged.get(staged.handle)
        return content is not None and not content.is_gone

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """As the port says. A server vouches for what it says it has, whenever it is asked for content."""
        return {name: CONFIRMED_BYTES for name in names if is_stored_label(name) or self.staged.has(name)}

    def read(self, location: BlobLocation, digest: bytes) -> bytes:
        return self.read_many([(location, digest)])[0]

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        for location, _ in wanted:
            verify.check_location(location)
        if (total := sum(location.size for location, _ in wanted)) > READ_MANY_BYTES_MAX:
            raise InvalidInput(
                f"{total:,} bytes were requested in one call; at most {READ_MANY_BYTES_MAX:,} are returned. Split the "
                "request."
            )
        by_project: dict[str, dict[bytes, bytes]] = {}
        for location, digest in wanted:
            by_project.setdefault(project_of(location.object_name), {})[digest] = b""
        for project, contents in by_project.items():
            asked = list(contents)
            for start in range(0, len(asked), READ_CONTENTS_MAX):
                part = asked[start : start + READ_CONTENTS_MAX]
                contents.update(zip(part, self._read(project, part), strict=True))
        results = [by_project[project_of(location.object_name)][digest] for location, digest in wanted]
        for (location, digest), content in zip(wanted, results, strict=True):
            verify.check_digest(content, location, digest, self._server.name)
        return results

    def stream(self, location: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        verify.check_location(location)
        pieces = self._pieces(location, digest)
        return verify.checked_pieces(pieces, location, digest, self._server.name)

    def stream_part(self, location: BlobLocation, start: int, size: int) -> NoReturn:  # noqa: ARG002
        refuse("reading a part of an object", self._server.name)

    def local_file(self, location: BlobLocation) -> str | None:  # noqa: ARG002  content is on a server
        return None

    def list_objects(self, prefix: str = "") -> NoReturn:  # noqa: ARG002
        self._refuse()

    def abandoned(self) -> NoReturn:
        self._refuse()

    def reclaim(self, *, idle_s: float, dry_run: bool) -> NoReturn:  # noqa: ARG002
        self._refuse()

    def adopt(self, staged: Staged) -> Staged | None:  # noqa: ARG002
        """As the port says: what another process staged went with it."""
        return None

    def delete(self, names: Iterable[str]) -> NoReturn:  # noqa: ARG002
        self._refuse()

    def close(self) -> None:
        """The connection belongs to all parts of the store."""

    def _refuse(self) -> NoReturn:
        refuse("listing and collecting objects", self._server.name)

    def _stage_file(
        self, source: int, algorithm: str, project: str, attempt: Callable[[bytes], int], watch: Watch
    ) -> Staged:
        """Raises: SourceChanged when the file changes meanwhile."""
        before = state_of(source)
        digest, size = digest_of(source, algorithm, watch)
        name = file_name(project, digest, attempt(digest))
        handle = f"{name}?{uuid.uuid4().hex}"
        receipts: dict[str, bytes] = {}
        if not self._has(project, digest):
            try:
                receipts[project] = self._upload_file(source, project, digest, size, watch)
            except InvalidInput:  # other bytes arrived than those that have this digest
                if state_of(source) != before:
                    raise SourceChanged from None
                raise
        self.staged.add(handle, uploads.StagedContent(algorithm, (), receipts))
        return Staged(handle, size, digest, name)

    def _has(self, project: str, digest: bytes) -> bool:
        asked = {"digests": [digests.to_text(digest)]}
        (size,) = self._server.call(f"/v1/projects/{project}/contents/stored", asked)["sizes"]
        return size is not None

    def _upload_pack(self, contents: Sequence[bytes], project: str, algorithm: str) -> bytes:
        pieces = encode_contents(algorithm, contents)
        body = Body(lambda: pieces, sum(map(len, pieces)))
        return self._receipt(f"/v1/projects/{project}/contents", body, CONTENTS_MEDIA_TYPE)

    def _upload_file(self, source: int, project: str, digest: bytes, size: int, watch: Watch) -> bytes:
        """Raises: SourceChanged when the file does not have this digest any more."""

        def pieces() -> Iterator[bytes]:
            for at in range(0, size, CHUNK_BYTES):
                piece = read_at(source, at, min(CHUNK_BYTES, size - at))
                if len(piece) < min(CHUNK_BYTES, size - at):
                    raise SourceChanged
                yield piece
                watch(UPLOADING, len(piece))

        with unchanged(source):
            if size > RANGED_BYTES_MIN:
                return RangedUpload(self._server, project, source, digest, size, watch).receipt()
            path = f"/v1/projects/{project}/contents?digest={digests.to_text(digest)}"
            return self._receipt(path, Body(pieces, size), CONTENT_MEDIA_TYPE)

    def _copy(self, receipts: Mapping[str, bytes], project: str) -> bytes:
        """Have the server copy what it has in another project, which shares nothing with this one."""
        receipt = next(iter(receipts.values()))
        body = Body(lambda: [receipt], len(receipt))
        return self._receipt(f"/v1/projects/{project}/contents/copies", body, RECEIPT_MEDIA_TYPE)

    def _receipt(self, path: str, body: Body, kind: str) -> bytes:
        answer = self._server.request("POST", path, body, headers={"Content-Type": kind}, timeout_s=UPLOAD_S)
        return binascii.a2b_base64(str(answer.json["receipt"]))

    def _read(self, project: str, wanted: Sequence[bytes]) -> list[bytes]:
        asked = json.dumps({"digests": list(map(digests.to_text, wanted))}).encode()
        headers = {"Content-Type": "application/json"}
        answer = self._server.request("POST", f"/v1/projects/{project}/contents/read", asked, headers=headers)
        found = frames.unpacked(answer.body, frames_max=len(wanted))
        if len(found) != len(wanted):
            raise StoreUnavailable(f"{self._server.name} sent {len(found):,} of {len(wanted):,} contents. Try again.")
        return list(map(bytes, found))

    def _pieces(self, location: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        """All of a content. Where the connection breaks off, it goes on from there by another."""
        path = f"/v1/projects/{project_of(location.object_name)}/contents/{digests.to_text(digest)}"
        at, breaks = 0, 0
        buffer = memoryview(bytearray(CHUNK_BYTES))
        while at < location.size:
            headers = {"Range": f"bytes={at}-"} if at else {}
            try:
                with self._server.stream("GET", path, headers=headers) as response:
                    while got := response.readinto(buffer):
                        at, breaks = at + got, 0
                        yield buffer[:got]
            except (OSError, HTTPException) as error:
                broken: Exception | None = error
            else:
                broken = None
            if at < location.size:
                breaks += 1
                if broken is None or breaks > BREAKS_MAX:
                    raise StoreNotAnswering(
                        f"{self._server.name} broke off {breaks} times at byte {at:,} of {location.size:,}. Try again."
                    ) from broken
