"""The addresses of pictures of lineage: each as a page, as Mermaid and as DOT."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from headwater_consumer.queries.lineage_graphs import Node
from headwater_schemas.limits import NAME_LENGTH_MAX

from headwater_server.http.answering import packed
from headwater_server.resources.naming import ReadableCollection, ReadableRun
from headwater_server.web import addresses
from headwater_server.web.lineage.asked import (
    DEPTH_DEFAULT,
    DEPTH_MAX,
    ID_LENGTH_MAX,
    OPENED_MAX,
    Asked,
    Direction,
    Level,
    read_asked,
)
from headwater_server.web.lineage.dot import DOT, dot
from headwater_server.web.lineage.mermaid import MERMAID, mermaid
from headwater_server.web.lineage.page import LineagePage, lineage, run_named, version_named
from headwater_server.web.lineage.picture import Picture
from headwater_server.web.rendering import OF_PAGES
from headwater_server.web.visitor import Visit, VisitOf

router = APIRouter()

Selector = Annotated[str, Path(max_length=NAME_LENGTH_MAX)]
Id = Annotated[str | None, Query(max_length=ID_LENGTH_MAX)]


async def asked_of(
    level: Level | None = None,
    direction: Direction = Direction.BOTH,
    depth: Annotated[int, Query(ge=1, le=DEPTH_MAX)] = DEPTH_DEFAULT,
    opened: Annotated[str | None, Query(alias="open", max_length=OPENED_MAX * ID_LENGTH_MAX)] = None,
    first: Annotated[Id, Query(alias="from")] = None,
    last: Annotated[Id, Query(alias="to")] = None,
) -> Asked:
    """What the query of an address asks. Raises: InvalidInput."""
    return read_asked(level, direction, depth, opened, first, last)


async def version_of(visit: VisitOf, collection: ReadableCollection, selector: Selector) -> Node:
    """The version that an address names. Raises: Problem where there is none, InvalidName."""
    return await visit.query(version_named, collection, selector)


async def run_of(visit: VisitOf, run: ReadableRun) -> Node:
    """The run that an address names. Raises: Problem where there is none."""
    return await visit.query(run_named, run)


AskedOf = Annotated[Asked, Depends(asked_of)]
VersionOf = Annotated[Node, Depends(version_of)]
RunOf = Annotated[Node, Depends(run_of)]


@router.get(addresses.LINEAGE)
async def show_version(visit: VisitOf, version: VersionOf, asked: AskedOf) -> Response:
    """What a version was made from, and what was made of it."""
    return visit.answer("lineage.html", await _lineage(visit, version, asked))


@router.get(addresses.RUN_LINEAGE)
async def show_run(visit: VisitOf, run: RunOf, asked: AskedOf) -> Response:
    """What a run used and logged, and so on."""
    return visit.answer("lineage.html", await _lineage(visit, run, asked))


@router.get(addresses.LINEAGE + addresses.MERMAID)
async def get_mermaid_of_version(visit: VisitOf, version: VersionOf, asked: AskedOf) -> Response:
    """The same for Markdown."""
    return await _text(visit, version, asked, mermaid, MERMAID)


@router.get(addresses.RUN_LINEAGE + addresses.MERMAID)
async def get_mermaid_of_run(visit: VisitOf, run: RunOf, asked: AskedOf) -> Response:
    """The same for Markdown."""
    return await _text(visit, run, asked, mermaid, MERMAID)


@router.get(addresses.LINEAGE + addresses.DOT)
async def get_dot_of_version(visit: VisitOf, version: VersionOf, asked: AskedOf) -> Response:
    """The same for Graphviz."""
    return await _text(visit, version, asked, dot, DOT)


@router.get(addresses.RUN_LINEAGE + addresses.DOT)
async def get_dot_of_run(visit: VisitOf, run: RunOf, asked: AskedOf) -> Response:
    """The same for Graphviz."""
    return await _text(visit, run, asked, dot, DOT)


async def _lineage(visit: Visit, subject: Node, asked: Asked) -> LineagePage:
    return await visit.query(lineage, visit.caller, subject, asked)


async def _text(
    visit: Visit, subject: Node, asked: Asked, write: Callable[[Picture], str], media_type: str
) -> Response:
    page = await _lineage(visit, subject, asked)
    return packed(visit.request, write(page.picture).encode(), media_type, dict(OF_PAGES))
