"""Collections, their versions and aliases."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from headwater_consumer import queries
from headwater_consumer.queries import CollectionInfo, VersionInfo
from headwater_schemas.names import check_alias, check_type
from headwater_schemas.provenance import Provenance

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources import models
from headwater_server.resources.naming import (
    ReadableCollection,
    ReadableProject,
    Selector,
    may_read,
    version_of,
)
from headwater_server.resources.paging import (
    LIMIT,
    Cursor,
    Limit,
    cursor_key,
    cursor_text,
    next_query,
    page_of,
    read_page,
)
from headwater_server.service import ServiceOf

router = APIRouter(prefix="/projects/{entity}/{project}/collections", tags=["artifacts"], dependencies=[NotBefore])


@router.get("", response_model=models.Collections)
async def list_collections(
    request: Request,
    service: ServiceOf,
    project: ReadableProject,
    type: Annotated[str | None, Query(description="Only artifacts of this type.")] = None,  # noqa: A002
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The artifacts of a project that have versions, by name."""
    chosen = None if type is None else check_type(type)
    after = None if cursor is None else f"{project}/{cursor_key('collections', cursor, str)[0]}"
    found = await service.query(
        queries.collections, service.database, project, type=chosen, after=after, limit=limit + 1
    )
    page, last = page_of(found, limit)
    following = None if last is None else cursor_text("collections", last.collection.rpartition("/")[2])
    body = models.Collections(items=[collection_model(info) for info in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


@router.get("/{name}", response_model=models.Collection)
async def get_collection(request: Request, service: ServiceOf, collection: ReadableCollection) -> Response:
    """All versions of one artifact name, counted."""
    info = await service.query(queries.collection_info, service.database, collection)
    if info is None:
        raise not_found(collection)
    return answer(request, collection_model(info))


@router.get("/{name}/versions", response_model=models.Versions)
async def list_versions(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    collection: ReadableCollection,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The versions that are not deleted, the newest first."""
    after = None if cursor is None else cursor_key("versions", cursor, int)[0]
    page, last = await read_page(service, "version_infos", limit, collection=collection, after=after)
    following = None if last is None else cursor_text("versions", last.version)
    body = models.Versions(items=[version_model(info, caller) for info in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


@router.get("/{name}/versions/{version}", response_model=models.Version)
async def get_version(
    request: Request, service: ServiceOf, caller: CallerOf, collection: ReadableCollection, version: Selector
) -> Response:
    """One version, by its number or an alias."""
    return answer(request, version_model(await version_of(service, collection, version), caller))


@router.get("/{name}/aliases", response_model=models.Aliases)
async def list_aliases(
    request: Request, service: ServiceOf, collection: ReadableCollection, limit: Limit = LIMIT, cursor: Cursor = None
) -> Response:
    """The aliases of an artifact's versions, by name."""
    after = "" if cursor is None else cursor_key("aliases", cursor, str)[0]
    found = await service.query(queries.aliases_of, service.database, collection, after=after, limit=limit + 1)
    page, last = page_of(found, limit)
    following = None if last is None else cursor_text("aliases", last[0])
    items = [models.Alias(alias=alias, version=f"v{number}") for alias, number in page]
    return answer(request, models.Aliases(items=items, next=following), next_page=next_query(request, following))


@router.get("/{name}/aliases/{alias}", response_model=models.Alias)
async def get_alias(request: Request, service: ServiceOf, collection: ReadableCollection, alias: Selector) -> Response:
    """The version that an alias is on."""
    number = await service.query(queries.resolve_version, service.database, collection, check_alias(alias))
    if number is None:
        raise not_found(f"{collection}:{alias}")
    return answer(request, models.Alias(alias=alias, version=f"v{number}"))


def collection_model(info: CollectionInfo) -> models.Collection:
    """A collection as it is answered."""
    return models.Collection(
        collection=info.collection, type=info.type, versions=info.versions, created=models.when(info.created_us)
    )


def provenance_model(origin: Provenance) -> models.Provenance:
    """Where an imported version comes from, as it is answered."""
    return models.Provenance(
        store=origin.store, artifact=origin.version, author=origin.author, created=models.when(origin.time_us)
    )


def version_model(info: VersionInfo, caller: Caller) -> models.Version:
    """A version as it is answered to this caller."""
    return models.Version(
        artifact=f"{info.collection}:v{info.version}",
        collection=info.collection,
        version=f"v{info.version}",
        type=info.type,
        digest=info.digest,
        files=info.entry_count,
        size_bytes=info.size_bytes,
        aliases=list(info.aliases),
        tags=list(info.tags),
        description=info.description,
        metadata=json.loads(info.metadata),
        base=None if info.base is None else f"v{info.base}",
        logged_by=info.run if info.run is not None and may_read(caller, info.run) else None,
        author=info.author,
        message=info.message,
        created=models.when(info.created_us),
        updated=models.when(info.updated_us),
        ttl_seconds=info.ttl_seconds,
        recalled=info.recalled,
        imported=list(map(provenance_model, info.imported)),
    )
