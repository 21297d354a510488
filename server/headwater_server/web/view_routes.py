"""The pages of what is recorded, by address: a route reads that, asks a view, and has a template show the answer."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from headwater_consumer.rows import REFERENCE
from headwater_schemas.limits import LABEL_LENGTH_MAX, NAME_LENGTH_MAX, PATH_BYTES_MAX

from headwater_server.resources.downloads import download, no_content_of
from headwater_server.resources.naming import ReadableCollection, ReadableProject, ReadableRun, Selector
from headwater_server.resources.paging import Cursor
from headwater_server.web import addresses
from headwater_server.web.previews.serving import serve_image
from headwater_server.web.views import diff as diffs
from headwater_server.web.views import file as files
from headwater_server.web.views.collection import collection as collection_view
from headwater_server.web.views.collections import collections as collections_view
from headwater_server.web.views.feed import feed as feed_view
from headwater_server.web.views.metadata import metadata as metadata_view
from headwater_server.web.views.runs import run as run_view
from headwater_server.web.views.runs import runs as runs_view
from headwater_server.web.views.search import TEXT_LENGTH_MAX, suggestions
from headwater_server.web.views.search import search as search_view
from headwater_server.web.views.space import collection_space, project_space
from headwater_server.web.views.version import version as version_view
from headwater_server.web.visitor import VisitOf

COLUMNS_MAX = 100  # that an address names
ASKED_LENGTH_MAX = 1024  # characters

router = APIRouter(include_in_schema=False)

Label = Annotated[str | None, Query(max_length=LABEL_LENGTH_MAX)]
Alias = Annotated[str | None, Query(max_length=NAME_LENGTH_MAX)]
PathIn = Annotated[str, Query(max_length=PATH_BYTES_MAX)]
Asked = Annotated[str | None, Query(max_length=ASKED_LENGTH_MAX)]


@router.get(addresses.PROJECT)
async def show_collections(
    visit: VisitOf,
    project: ReadableProject,
    type: Label = None,  # noqa: A002 - the word that users know
    cursor: Cursor = None,
) -> Response:
    """The collections of a project."""
    found = await visit.query(collections_view, project=project, type=type, cursor=cursor)
    return visit.answer("collections.html", found)


@router.get(addresses.RUNS)
async def show_runs(
    visit: VisitOf, project: ReadableProject, job_type: Label = None, group: Label = None, cursor: Cursor = None
) -> Response:
    """The runs of a project."""
    found = await visit.query(runs_view, project=project, job_type=job_type, group=group, cursor=cursor)
    return visit.answer("runs.html", found)


@router.get(addresses.RUN)
async def show_run(visit: VisitOf, run: ReadableRun, inputs: Cursor = None, outputs: Cursor = None) -> Response:
    """One run."""
    return visit.answer("run.html", await visit.query(run_view, visit.caller, run=run, inputs=inputs, outputs=outputs))


@router.get(addresses.FEED)
async def show_feed(
    visit: VisitOf,
    project: ReadableProject,
    since: Asked = None,
    of: Alias = None,
    cursor: Annotated[str | None, Query(max_length=64 * 1024)] = None,
) -> Response:
    """What changed in a project."""
    generation = visit.service.stores.log.generation
    asked = {"since": since, "of": of, "cursor": cursor}
    found = await visit.query(feed_view, visit.caller, project=project, generation=generation, **asked)
    return visit.answer("feed.html", found)


@router.get(addresses.COLLECTION)
async def show_collection(
    visit: VisitOf, collection: ReadableCollection, alias: Alias = None, moves: Cursor = None, cursor: Cursor = None
) -> Response:
    """One collection."""
    asked = {"cursor": cursor, "alias": alias, "moves": moves}
    found = await visit.query(collection_view, visit.caller, collection=collection, **asked)
    return visit.answer("collection.html", found)


@router.get(addresses.METADATA)
async def show_metadata(
    visit: VisitOf,
    collection: ReadableCollection,
    column: Annotated[list[str] | None, Query(max_length=COLUMNS_MAX)] = None,
    plot: Asked = None,
    cursor: Cursor = None,
) -> Response:
    """The metadata of a collection's versions."""
    found = await visit.query(metadata_view, collection=collection, columns=column or (), plotted=plot, cursor=cursor)
    return visit.answer("metadata.html", found)


@router.get(addresses.SPACE)
async def show_space(visit: VisitOf, project: ReadableProject) -> Response:
    """What takes up room in a project."""
    return visit.answer("space.html", await visit.search(project_space, visit.service.operational, project=project))


@router.get(addresses.COLLECTION_SPACE)
async def show_space_of_collection(visit: VisitOf, collection: ReadableCollection) -> Response:
    """What takes up room in a collection."""
    found = await visit.search(collection_space, visit.service.operational, collection=collection)
    return visit.answer("space.html", found)


@router.get(addresses.DIFF)
async def show_diff(
    visit: VisitOf,
    collection: ReadableCollection,
    before: Annotated[str | None, Query(alias="from", max_length=NAME_LENGTH_MAX)] = None,
    after: Annotated[str | None, Query(alias="to", max_length=NAME_LENGTH_MAX)] = None,
    path: Annotated[str | None, Query(max_length=PATH_BYTES_MAX)] = None,
    cursor: Cursor = None,
) -> Response:
    """What differs between two versions; at `path`, line by line."""
    found = await visit.query(diffs.diff, collection=collection, before=before, after=after, cursor=cursor)
    if path is not None:
        sides = await visit.query(diffs.entries_at, found, path)
        found = await visit.preview(diffs.with_lines, found, path, visit.service.contents, *sides)
    return visit.answer("diff.html", found)


@router.get(addresses.FILE)
async def show_file(
    visit: VisitOf,
    collection: ReadableCollection,
    selector: Selector,
    path: Annotated[str, Path(max_length=PATH_BYTES_MAX)],
    raw: bool = False,
) -> Response:
    """One file. `raw`: its bytes, to keep; of an image that a page shows, as that."""
    version, entry = await visit.query(files.entry_seen, collection=collection, selector=selector, path=path)
    if raw:
        if entry.kind == REFERENCE:
            raise no_content_of(entry)
        image = await visit.service.transfer(serve_image, visit.request, visit.service.contents, entry)
        return image or await download(
            visit.request, visit.service, visit.caller.principal, (collection, version), entry
        )
    shown = files.file(collection, selector, version, entry)
    if entry.kind != REFERENCE:
        shown = await visit.preview(files.with_preview, shown, visit.service.contents, entry)
    return visit.answer("file.html", shown)


@router.get(addresses.VERSION)
async def show_version(
    visit: VisitOf,
    collection: ReadableCollection,
    selector: Selector,
    path: PathIn = "",
    cursor: Cursor = None,
    own: bool = False,
) -> Response:
    """One version, with the folder `path` of it."""
    found = await visit.query(
        version_view,
        visit.caller,
        collection=collection,
        selector=selector,
        folder=path,
        cursor=cursor,
        counts_own=own,
    )
    return visit.answer("version.html", found, status=HTTPStatus.GONE if found.tree is None else HTTPStatus.OK)


@router.get(addresses.SEARCH)
async def show_search(
    visit: VisitOf,
    q: Annotated[str, Query(max_length=TEXT_LENGTH_MAX)] = "",
    longer: bool = False,
) -> Response:
    """What contains a text."""
    return visit.answer("search.html", await visit.search(search_view, visit.caller, text=q, longer=longer))


@router.get(addresses.SUGGESTIONS)
async def show_suggestions(visit: VisitOf, q: Annotated[str, Query(max_length=TEXT_LENGTH_MAX)] = "") -> Response:
    """What begins with a text, while it is typed."""
    return visit.answer("suggestions.html", await visit.query(suggestions, visit.caller, text=q))
