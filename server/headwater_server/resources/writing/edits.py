"""Changing what may change about versions: aliases, description, metadata, tags; deleting, restoring and recalling."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from headwater_consumer import queries
from headwater_schemas import metadata
from headwater_schemas.errors import InvalidName
from headwater_schemas.events import (
    AliasMoved,
    Event,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import check_alias, check_text, parse_version

from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources.naming import ReadableCollection, Selector, expected_version, version_of
from headwater_server.resources.writing.shapes import AliasTarget, Description, Recall, Written
from headwater_server.resources.writing.writer import JsonWriter, WriterOf, status_of
from headwater_server.service import ServiceOf
from headwater_server.typed_bodies import body_of, documented

ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": Written}}

router = APIRouter(prefix="/projects/{entity}/{project}/collections/{name}", tags=["artifacts"])
Expected = Annotated[str | None, Query(description="Only while it is on this version.", examples=["v3"])]


@router.put("/aliases/{alias}", response_model=Written, responses=ACCEPTED, openapi_extra=documented(AliasTarget))
async def move_alias(
    request: Request,
    service: ServiceOf,
    collection: ReadableCollection,
    alias: Selector,
    body: Annotated[AliasTarget, Depends(body_of(AliasTarget))],
    writer: WriterOf,
) -> Response:
    """Have an alias name a version, whether it named another one before or is new."""
    target = await version_of(service, collection, body.version)
    expected = expected_version(body.expect)
    event = AliasMoved(collection=collection, alias=check_alias(alias), version=target.version, expected=expected)
    return await written(request, writer, event)


@router.delete("/aliases/{alias}", response_model=Written, responses=ACCEPTED)
async def remove_alias(
    request: Request, collection: ReadableCollection, alias: Selector, writer: WriterOf, expect: Expected = None
) -> Response:
    """Have an alias name no version any more."""
    expected = expected_version(expect)
    event = AliasMoved(collection=collection, alias=check_alias(alias), version=None, expected=expected)
    return await written(request, writer, event)


@router.patch("/versions/{version}", response_model=Written, responses=ACCEPTED, openapi_extra=documented(Description))
async def describe_version(
    request: Request,
    service: ServiceOf,
    collection: ReadableCollection,
    version: Selector,
    body: Annotated[Description, Depends(body_of(Description))],
    writer: WriterOf,
) -> Response:
    """Change the description, metadata, tags or time to live of a version: only what is given."""
    info = await version_of(service, collection, version)
    event = VersionDescribed(
        collection=collection,
        version=info.version,
        description=body.description,
        metadata=None if body.metadata is None else metadata.encode(body.metadata),
        metadata_patch=None if body.metadata_patch is None else metadata.encode(body.metadata_patch),
        tags_added=tuple(check_alias(tag, "tag") for tag in body.add_tags),
        tags_removed=tuple(check_alias(tag, "tag") for tag in body.remove_tags),
        ttl_seconds=body.ttl_seconds,
    )
    return await written(request, writer, event)


@router.delete("/versions/{version}", response_model=Written, responses=ACCEPTED)
async def delete_version(
    request: Request,
    service: ServiceOf,
    collection: ReadableCollection,
    version: Selector,
    writer: WriterOf,
    delete_aliases: Annotated[bool, Query(description="Also when it has aliases, which are removed.")] = False,
) -> Response:
    """Delete a version, by its number. It can be restored until its content is collected."""
    number = await _numbered(service, collection, version)
    return await written(
        request, writer, VersionDeleted(collection=collection, version=number, delete_aliases=delete_aliases)
    )


@router.post("/versions/{version}/restore", response_model=Written, responses=ACCEPTED)
async def restore_version(
    request: Request, service: ServiceOf, collection: ReadableCollection, version: Selector, writer: WriterOf
) -> Response:
    """Restore a version that was deleted, by its number."""
    number = await _numbered(service, collection, version)
    return await written(request, writer, VersionRestored(collection=collection, version=number))


@router.post("/versions/{version}/recall", response_model=Written, responses=ACCEPTED, openapi_extra=documented(Recall))
async def recall_version(
    request: Request,
    service: ServiceOf,
    collection: ReadableCollection,
    version: Selector,
    body: Annotated[Recall, Depends(body_of(Recall))],
    writer: WriterOf,
) -> Response:
    """Mark a version as bad. It stays readable, and shows the reason."""
    number = await _numbered(service, collection, version)
    reason = check_text(body.reason, "reason")
    return await written(request, writer, VersionRecalled(collection=collection, version=number, reason=reason))


async def written(request: Request, writer: JsonWriter, *events: Event) -> Response:
    """Write events that have no outcome but that they count."""
    result = await writer.write(events)
    return answer(request, Written(cut=result.cut, done=result.is_known), status=status_of(result, HTTPStatus.OK))


async def _numbered(service: ServiceOf, collection: str, version: str) -> int:
    """The number of a version, deleted or not: what is deleted, or marked, is not named by something that moves."""
    number = parse_version(version)
    if number is None:
        raise InvalidName(f"{quoted(version)} is no number of a version. Name it by its number, such as v3.")
    if await service.query(queries.version_info, service.database, collection, number) is None:
        raise not_found(f"{collection}:{version}")
    return number
