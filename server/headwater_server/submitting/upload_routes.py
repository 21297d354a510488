"""The routes for contents that arrive in several requests, and go on where they broke off.

The headers are those of "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload): `Upload-Offset` says where
a body belongs, and how far an upload is. The size is said when an upload begins, so that it is complete with its last
byte, whatever else a request says.
"""

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from headwater_consumer.operational.partial_uploads import PartialUpload
from headwater_schemas import digests
from pydantic import BaseModel, Field

from headwater_server.access.caller import CallerOf
from headwater_server.http.bodies import pieces_of
from headwater_server.http.problems import not_found
from headwater_server.limits import UPLOAD_BYTES_MAX
from headwater_server.service import ServiceOf
from headwater_server.submitting.content_routes import algorithm_for, writable
from headwater_server.submitting.partial_uploads import PartialUploads, stored_of
from headwater_server.submitting.submitter import Submitter, SubmitterOf
from headwater_server.submitting.uploading import answer_of
from headwater_server.typed_bodies import Body, body_of, documented

_ID = re.compile("[0-9a-f]{32}")
_DIGEST_LENGTH_MAX = 100  # characters
_SIZE_DIGITS_MAX = 18

router = APIRouter(tags=["contents"], prefix="/projects/{entity}/{project}/contents/uploads")


class UploadToBegin(Body):
    """A content that will arrive in several requests."""

    size: int = Field(ge=0, le=UPLOAD_BYTES_MAX, description="Bytes.", examples=[5_000_000_000])
    digest: str | None = Field(
        default=None,
        max_length=_DIGEST_LENGTH_MAX,
        description="What it is, so that nothing else is stored; whoever says the same again goes on with this upload.",
    )


class UploadProgress(BaseModel):
    """How far an upload is."""

    id: str
    offset: int = Field(description="Bytes that are kept. The next request brings what follows.")
    size: int = Field(description="Bytes that it will have.")
    range_bytes: int = Field(description="So many bytes one request brings at least, unless it is the last.")
    busy: bool = Field(description="Whether a request brings bytes of it at this moment.")
    expires_in_s: int = Field(description="When it is forgotten unless more arrives, in seconds.")


class Uploaded(BaseModel):
    """What uploading a content answers. It goes into a commit as it is."""

    digest: str
    size: int
    receipt: str


_ANSWER: dict[str, Any] = {"model": UploadProgress | Uploaded, "description": "How far it is, or what it became."}
_COMPLETE: dict[str, Any] = {"model": Uploaded, "description": "It is complete, and this is what it became."}


async def partial_uploads_of(request: Request) -> PartialUploads:
    """Those of the server that a request came to. Asynchronous, as `service_of`."""
    uploads: PartialUploads = request.app.state.partial_uploads
    return uploads


UploadsOf = Annotated[PartialUploads, Depends(partial_uploads_of)]


async def upload_of(entity: str, project: str, upload_id: str, caller: CallerOf, uploads: UploadsOf) -> PartialUpload:
    """The upload of a path. Raises: Problem for one that the caller did not begin, or may not write any more."""
    name = writable(caller, entity, project)
    if not _ID.fullmatch(upload_id):
        raise not_found("such upload")
    return await uploads.find(upload_id, caller.principal, name)


UploadOf = Annotated[PartialUpload, Depends(upload_of)]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=UploadProgress | Uploaded,
    responses={200: _ANSWER},
    openapi_extra=documented(UploadToBegin),
)
async def begin_upload(
    entity: str,
    project: str,
    service: ServiceOf,
    caller: CallerOf,
    submitter: SubmitterOf,
    uploads: UploadsOf,
    body: Annotated[UploadToBegin, Depends(body_of(UploadToBegin))],
) -> Response:
    """Begin an upload in several requests. 200: an upload of the same content that is there already, to go on with."""
    name = writable(caller, entity, project)
    expected = None if body.digest is None else digests.of_text(body.digest)
    upload = await uploads.begin(
        caller.principal,
        name,
        size=body.size,
        algorithm=await algorithm_for(service, name, expected),
        expected=None if expected is None else digests.to_text(expected),
    )
    response = _answer(upload, uploads, submitter)
    if not upload.fence:  # no request brought anything yet
        response.status_code = HTTPStatus.CREATED
    response.headers["Location"] = f"/v1/projects/{name}/contents/uploads/{upload.id}"
    return response


@router.get("/{upload_id}", response_model=UploadProgress | Uploaded)
async def read_upload(upload: UploadOf, uploads: UploadsOf, submitter: SubmitterOf) -> Response:
    """How far an upload is, or what it became."""
    return _answer(upload, uploads, submitter)


@router.head("/{upload_id}", response_class=Response)
async def read_upload_headers(upload: UploadOf, uploads: UploadsOf, submitter: SubmitterOf) -> Response:
    """How far an upload is, in headers alone."""
    return Response(None, headers=dict(_answer(upload, uploads, submitter).headers))


@router.patch(
    "/{upload_id}",
    response_model=UploadProgress | Uploaded,
    responses={201: _COMPLETE},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/partial-upload": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def continue_upload(
    request: Request,
    upload: UploadOf,
    caller: CallerOf,
    submitter: SubmitterOf,
    uploads: UploadsOf,
    upload_offset: Annotated[int, Header(ge=0, le=UPLOAD_BYTES_MAX, description="Where the body belongs.")],
) -> Response:
    """Add the body at `Upload-Offset`. What arrived is kept, also where the connection breaks: ask how far it is then.

    200: how far it is. 201: it is complete, and the answer is as that of an upload in one request. 409: it is at
    another offset, which the header `Upload-Offset` says. 410: what was kept is gone; begin another.
    """
    with submitter.uploads.counted(caller.principal):
        upload = await uploads.append(upload, upload_offset, _told_size(request), pieces_of(request))
    response = _answer(upload, uploads, submitter)
    if upload.digest:
        response.status_code = HTTPStatus.CREATED
    return response


@router.delete("/{upload_id}", status_code=HTTPStatus.NO_CONTENT)
async def give_up_upload(upload: UploadOf, uploads: UploadsOf) -> None:
    """Keep nothing of an upload."""
    await uploads.give_up(upload)


def _answer(upload: PartialUpload, uploads: PartialUploads, submitter: Submitter) -> Response:
    stored, range_bytes = stored_of(upload), uploads.range_bytes(upload.size)
    limits = f"max-size={UPLOAD_BYTES_MAX}, min-append-size={range_bytes}, max-age={max(0, upload.expires_in_s)}"
    headers = {
        "Upload-Offset": str(upload.received),
        "Upload-Length": str(upload.size),
        "Upload-Complete": "?0" if stored is None else "?1",
        "Upload-Limit": limits,
        "Cache-Control": "no-store",
    }
    if stored is not None:
        return JSONResponse(answer_of(stored, submitter.receipts), headers=headers)
    progress = UploadProgress(
        id=upload.id,
        offset=upload.received,
        size=upload.size,
        range_bytes=range_bytes,
        busy=upload.is_held,
        expires_in_s=max(0, upload.expires_in_s),
    )
    return JSONResponse(progress.model_dump(), headers=headers)


def _told_size(request: Request) -> int | None:
    """The size of the body by its header."""
    told = request.headers.get("content-length", "")
    return int(told) if told.isdecimal() and len(told) <= _SIZE_DIGITS_MAX else None
