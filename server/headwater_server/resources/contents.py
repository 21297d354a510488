"""The entries of a version, and the contents of one of them.

Contents are bytes of whoever wrote them: they are never called anything but bytes, and no browser shows them.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import EntryInfo, LevelItem, VersionInfo
from headwater_consumer.rows import REFERENCE
from headwater_schemas import digests, paths
from headwater_schemas.frozen_unicode import quoted

from headwater_server.access.caller import CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources import models
from headwater_server.resources.downloads import download, no_content_of
from headwater_server.resources.naming import ReadableCollection, Selector, version_of
from headwater_server.resources.paging import LIMIT, Cursor, Limit, cursor_key, cursor_text, next_query, page_of
from headwater_server.service import ServiceOf

router = APIRouter(
    prefix="/projects/{entity}/{project}/collections/{name}/versions/{version}",
    tags=["contents"],
    dependencies=[NotBefore],
)
_SHOWN_MAX = 200  # characters of a path, in an answer

EntryPath = Annotated[str, Path(max_length=paths.PATH_BYTES_MAX, examples=["cat.txt"])]
Prefix = Annotated[str, Query(max_length=paths.PATH_BYTES_MAX, description="Only what is below this folder.")]
Depth = Annotated[
    Literal["all", "level"], Query(description="`level`: only what is right below, folders as one item each.")
]


@router.get("/entries", response_model=models.Entries)
async def list_entries(
    request: Request,
    service: ServiceOf,
    collection: ReadableCollection,
    version: Selector,
    prefix: Prefix = "",
    depth: Depth = "all",
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The entries of a version by path, or one level of them with its folders."""
    info = await version_of(service, collection, version)
    folder = paths.normalize_folder(prefix)
    after = None if cursor is None else cursor_key(f"entries-{depth}", cursor, str)[0]
    read = _level if depth == "level" else _entries
    page, last = page_of(await service.query(read, service.database, info, folder, after, limit + 1), limit)
    following = None if last is None else cursor_text(f"entries-{depth}", queries.level_key(last))
    body = models.Entries(items=[_entry_model(item) for item in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


@router.get("/entries/{path:path}", response_model=models.Entry)
async def get_entry(
    request: Request, service: ServiceOf, collection: ReadableCollection, version: Selector, path: EntryPath
) -> Response:
    """What is recorded of one path."""
    info = await version_of(service, collection, version)
    found = await service.query(_entry, service.database, info, path)
    return answer(request, _entry_model(LevelItem(found.path, found)))


@router.get("/files/{path:path}", response_class=Response)
async def download_file(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    collection: ReadableCollection,
    version: Selector,
    path: EntryPath,
) -> Response:
    """The content of one file, all of it or a range; its ETag is its digest."""
    info = await version_of(service, collection, version)
    found = await service.query(_entry, service.database, info, path)
    if found.kind == REFERENCE:
        raise no_content_of(found)
    return await download(request, service, caller.principal, (info.collection, info.version), found)


@router.head("/files/{path:path}", response_class=Response)
async def describe_file(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    collection: ReadableCollection,
    version: Selector,
    path: EntryPath,
) -> Response:
    """The headers of a download, without the content."""
    return await download_file(request, service, caller, collection, version, path)


def _entries(database: Database, info: VersionInfo, folder: str, after: str | None, limit: int) -> list[LevelItem]:
    found = queries.entries_page(database, info.layers, prefix=folder, after=after, limit=limit)
    return [LevelItem(entry.path, entry) for entry in found]


def _level(database: Database, info: VersionInfo, folder: str, after: str | None, limit: int) -> list[LevelItem]:
    return queries.level(database, info.layers, prefix=folder, after=after, limit=limit)


def _entry(database: Database, info: VersionInfo, path: str) -> EntryInfo:
    stored = queries.stored_path(database, info.layers, paths.normalize(path))
    found = queries.entry(database, info.layers, stored)
    if found is None:
        raise not_found(f"{quoted(path, _SHOWN_MAX)} in {info.collection}:v{info.version}")
    return found


def _entry_model(item: LevelItem) -> models.Entry:
    info = item.entry
    if info is None:
        return models.Entry(path=item.path, kind="folder")
    return models.Entry(
        path=info.path,
        kind="reference" if info.kind == REFERENCE else "file",
        size_bytes=info.size,
        digest=None if info.digest is None else digests.to_text(info.digest),
        executable=info.executable,
        uri=info.uri,
        checksum=info.checksum,
        object_version=info.object_version,
    )
