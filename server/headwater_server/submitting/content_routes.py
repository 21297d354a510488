"""The routes for the bytes of a project: storing what events will name, and reading what versions have, by digest."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from headwater_consumer import queries
from headwater_producer.stored_content import Located
from headwater_schemas import digests, frames
from headwater_schemas.access import READER, WRITER
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing, ContentError, InvalidInput, StoreNotAnswering
from headwater_schemas.names import check_project
from headwater_schemas.problems import word_of
from headwater_schemas.submissions import (
    CONTENTS_MEDIA_TYPE,
    PACK_BYTES_MAX,
    RECEIPT_BYTES_MAX,
    TOGETHER_BYTES_MAX,
    decode_contents,
)

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.http.bodies import pieces_of, read_body, read_json, told_size
from headwater_server.http.gathering import gathered
from headwater_server.http.problems import Problem, not_found
from headwater_server.limits import (
    LARGE_BODY_S,
    READ_BYTES_MAX,
    READ_CONTENTS_MAX,
    UPLOAD_BYTES_MAX,
)
from headwater_server.service import Service, ServiceOf
from headwater_server.submitting.pieces import Pieces, damaged, verified
from headwater_server.submitting.places import Place
from headwater_server.submitting.submitter import Submitter, SubmitterOf
from headwater_server.submitting.uploading import Upload, answer_of, receive, text_of

FRAMING_BYTES_MAX = 1024 * 1024  # of a body with contents, beyond these

router = APIRouter(tags=["contents"], prefix="/projects/{entity}/{project}/contents")


@router.post("", status_code=201)
async def store_contents(
    entity: str,
    project: str,
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    submitter: SubmitterOf,
    digest: str | None = None,
) -> dict[str, Any]:
    """Store one content of any size, or many small ones; the receipt is given back with the events that name it.

    `digest`: what the content is, so that nothing else is stored. Without it, it is hashed as the project has them.
    """
    name = writable(caller, entity, project)
    if request.headers.get("content-type") == CONTENTS_MEDIA_TYPE:
        return await _store_many(request, service, caller, submitter, name)
    expected = None if digest is None else digests.of_text(digest)
    algorithm = await algorithm_for(service, name, expected)
    with submitter.uploads.counted(caller.principal):
        upload = await service.transfer(Upload.begin, service, name, algorithm, told_size(request, UPLOAD_BYTES_MAX))
        stored = await receive(service, upload, pieces_of(request), bytes_max=UPLOAD_BYTES_MAX, expected=expected)
    return answer_of(stored, submitter.receipts)


@router.post("/copies", status_code=201)
async def copy_contents(
    entity: str, project: str, request: Request, service: ServiceOf, caller: CallerOf, submitter: SubmitterOf
) -> dict[str, Any]:
    """Store here, too, what was uploaded to another project: the body is the receipt for it."""
    name = writable(caller, entity, project)
    places = submitter.receipts.read(await read_body(request, RECEIPT_BYTES_MAX))
    with submitter.uploads.counted(caller.principal):
        return {"receipt": text_of(await service.transfer(_copied, service, submitter, name, places))}


@router.post("/stored")
async def stored_contents(
    entity: str, project: str, request: Request, service: ServiceOf, caller: CallerOf
) -> dict[str, Any]:
    """Which of these contents the project has, and the store can give: a list of their sizes, null for the others."""
    name = writable(caller, entity, project)
    wanted = _digests_in(await read_json(request, service.in_flight, caller.principal))
    places = await service.query(service.stored.find, name, wanted)
    return {"sizes": [places[digest].size if digest in places else None for digest in wanted]}


@router.post("/read")
async def read_contents(entity: str, project: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Small contents, each as a frame, in the order in which they were asked for. All are verified."""
    name = _readable(caller, entity, project)
    wanted = _digests_in(await read_json(request, service.in_flight, caller.principal))
    places = await service.query(service.stored.suggested, name, wanted)
    located = [(_found(places, name, digest), digest) for digest in wanted]
    size = sum(place.size for place, _ in located)
    if size > READ_BYTES_MAX:
        raise InvalidInput(f"these contents have {size:,} bytes; at most {READ_BYTES_MAX:,} are sent at once.")
    with service.in_flight.held_for(size, caller.principal):
        contents = await service.transfer(_read, service, name, located)
        return Response(b"".join(frames.packed(contents)), media_type="application/octet-stream")


@router.get("/{digest}")
async def read_content(
    entity: str, project: str, digest: str, request: Request, service: ServiceOf, caller: CallerOf
) -> Response:
    """One content of any size; from some byte on where `Range` says `bytes=N-`. All of it is verified, a part is not.

    What turns out to be damaged ends before its end.
    """
    name, packed = _readable(caller, entity, project), digests.of_text(digest)
    places = await service.query(service.stored.suggested, name, [packed])
    place = _found(places, name, packed)
    start = _start_of(request, place.size)
    contents = service.contents
    stream = contents.stream_part(place, start, place.size - start) if start else contents.stream(place, packed)
    pieces = gathered(verified(_noting_loss(service, name, (place, packed), stream), packed))
    headers = {"Content-Length": str(place.size - start)}
    status = HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK
    if start:
        headers["Content-Range"] = f"bytes {start}-{place.size - 1}/{place.size}"
    return Pieces(service, caller.principal, pieces, status, headers)


async def algorithm_for(service: Service, project: str, expected: bytes | None) -> str:
    """By which what is uploaded is hashed: as its client says, or else as the project has contents."""
    if expected is not None:
        return digests.algorithm_of(expected)
    return await service.query(queries.chosen_algorithm, service.database, project) or digests.BLAKE3


def writable(caller: Caller, entity: str, project: str) -> str:
    """The "entity/project" of a path. Raises: Problem for one that `caller` may not write to."""
    name = check_project(f"{entity}/{project}")
    if not caller.may(WRITER, name):
        raise not_found(f"project {name}")
    return name


def _readable(caller: Caller, entity: str, project: str) -> str:
    name = check_project(f"{entity}/{project}")
    if not caller.may(READER, name):
        raise not_found(f"project {name}")
    return name


async def _store_many(
    request: Request, service: Service, caller: Caller, submitter: Submitter, project: str
) -> dict[str, Any]:
    bytes_max = TOGETHER_BYTES_MAX + FRAMING_BYTES_MAX
    with service.in_flight.held_for(told_size(request, bytes_max), caller.principal):
        body = await read_body(request, bytes_max, within_s=LARGE_BODY_S)
        return {"receipt": text_of(await service.transfer(_store_pack, submitter, project, body))}


def _store_pack(submitter: Submitter, project: str, body: bytes) -> bytes:
    algorithm, contents = decode_contents(body)
    hash_one, code = digests.one_shot(algorithm), digests.pack(algorithm, b"")
    by_digest = {code + hash_one(content): bytes(content) for content in contents}
    return submitter.receipts.of(project, submitter.places.put_pack(project, by_digest))


def _copied(service: Service, submitter: Submitter, project: str, places: dict[Place, BlobLocation]) -> bytes:
    """In a thread: the receipt for what is stored in `project` now."""
    blobs = service.stores.blobs
    ((_, first), place), *more = places.items()
    if not more:
        upload = Upload.begin(service, project, digests.algorithm_of(first), place.size)
        stored = upload.copy(blobs.stream(place, first), first)
        return submitter.receipts.of(project, {stored.digest: stored.place})
    located = [(at, digest) for (_, digest), at in places.items()]
    contents = dict(zip((digest for _, digest in located), blobs.read_many(located), strict=True))
    return submitter.receipts.of(project, submitter.places.put_pack(project, contents))


def _noting_loss(
    service: Service, project: str, located: Located, pieces: Iterable[memoryview]
) -> Iterator[memoryview]:
    """The pieces. What turns out to be damaged is stored anew when a client sends it again."""
    try:
        yield from pieces
    except ContentError:
        service.stored.note_lost(project, [located])
        raise


def _read(service: Service, project: str, located: list[Located]) -> list[bytes]:
    """In a thread. As many at once as the store takes."""
    found, at = list[bytes](), 0
    while at < len(located):
        end, size = at + 1, located[at][0].size
        while end < len(located) and size + located[end][0].size <= PACK_BYTES_MAX:
            size += located[end][0].size
            end += 1
        found += _read_part(service, project, located[at:end])
        at = end
    return found


def _read_part(service: Service, project: str, located: list[Located]) -> list[bytes]:
    """Raises: Problem for the first that is lost or damaged; it is stored anew when a client sends it again."""
    contents = service.contents
    try:
        return contents.read_many(located)
    except ContentError as found:
        for place, digest in located:
            try:
                contents.read(place, digest)
            except ContentError as error:
                service.stored.note_lost(project, [(place, digest)])
                raise damaged(error, digest) from error
        raise StoreNotAnswering("content that could not be read a moment ago can be read now. Try again.") from found


def _digests_in(asked: Any) -> list[bytes]:
    given = asked.get("digests") if isinstance(asked, dict) else None
    if not isinstance(given, list) or len(given) > READ_CONTENTS_MAX or not all(isinstance(one, str) for one in given):
        raise InvalidInput(f"`digests` is not a list of at most {READ_CONTENTS_MAX:,} digests. See /v1/openapi.json.")
    return [digests.of_text(one) for one in given]


def _found(places: Any, project: str, digest: bytes) -> BlobLocation:
    place: BlobLocation | None = places.get(digest)
    if place is None:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            word_of(BlobMissing()),
            f"content {digests.to_text(digest)} is in no version of {project}.",
            "Look the version up again.",
        )
    return place


def _start_of(request: Request, size: int) -> int:
    """The first byte that is asked for. Any other range is passed over: the answer is the whole, then."""
    text = request.headers.get("range", "").removeprefix("bytes=").removesuffix("-")
    start = int(text) if text.isdecimal() and len(text) < 19 else 0
    return start if start < size else 0
