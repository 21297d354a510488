"""The pages, by address. A route reads what its address says, asks a view, and renders what that returns."""

from fastapi import APIRouter, Request, Response

from headwater_server.access.caller import CallerOf
from headwater_server.events.asked import After, LastEventId, asked_events, start_of
from headwater_server.events.stream import EventStream
from headwater_server.events.streams import StreamsOf
from headwater_server.resources.paging import Cursor
from headwater_server.service import ServiceOf
from headwater_server.web import addresses, one_time, signing_in
from headwater_server.web.lineage import routes as lineage
from headwater_server.web.static_files import serve_static
from headwater_server.web.view_routes import router as views
from headwater_server.web.views.projects import projects
from headwater_server.web.visitor import VisitOf

router = APIRouter(include_in_schema=False, redirect_slashes=False)


@router.get(addresses.STATIC + "/{release}/{name:path}")
async def get_static(request: Request, release: str, name: str) -> Response:
    """Style sheets and scripts. Nobody is asked who it is: they say nothing of what is recorded."""
    return serve_static(request, release, name)


router.include_router(signing_in.router)
router.include_router(one_time.router)
router.include_router(lineage.router)


@router.get(addresses.LIVE)
async def follow(
    service: ServiceOf, streams: StreamsOf, caller: CallerOf, after: After = None, last_event_id: LastEventId = None
) -> Response:
    """Version events of all projects that who looks may read, from now on: one stream for all tabs of a browser."""
    begin = await start_of(service, last_event_id or after or "now")
    return EventStream(service, streams, asked_events(caller), begin, shows_beats=True)


router.include_router(views)


@router.get(addresses.HOME)
async def show_projects(visit: VisitOf, cursor: Cursor = None) -> Response:
    """All projects."""
    return visit.answer("projects.html", await visit.query(projects, visit.caller, cursor=cursor))
