"""The application: every route of the service, under its bounds and with its error shape."""

from collections.abc import Iterator

from fastapi import APIRouter, Depends, FastAPI, Security
from headwater_stores.config.settings import Settings

from headwater_server import health
from headwater_server.access.authentication import OpenAuthentication
from headwater_server.access.caller import SCHEME, Authentication, caller_of
from headwater_server.access.local_only import LocalOnly
from headwater_server.events.router import router as events
from headwater_server.events.streams import Streams
from headwater_server.http import document, problems
from headwater_server.http.bounds import Bounds
from headwater_server.http.direct import Direct, direct_routes
from headwater_server.http.queries import known_query
from headwater_server.metrics import Measured
from headwater_server.operations.routes import router as operations
from headwater_server.operations.running import Operations
from headwater_server.reading.routes import router as reading
from headwater_server.resources.router import ROUTERS
from headwater_server.service import Service
from headwater_server.submitting.content_routes import router as contents
from headwater_server.submitting.partial_uploads import PartialUploads
from headwater_server.submitting.routes import router as submitting
from headwater_server.submitting.submitter import Submitter
from headwater_server.submitting.upload_routes import router as uploads
from headwater_server.web.page import add_page
from headwater_server.webhooks.desk import WebhookDesk
from headwater_server.webhooks.routes import router as webhooks

V1 = "/v1"
DESCRIPTION = "Versioned artifacts and their lineage. Every error has the shape of RFC 9457."


def make_app(
    service: Service, authentication: Authentication, settings: Settings, operators: frozenset[str] = frozenset()
) -> FastAPI:
    """The HTTP interface of `service`, for those whom `authentication` knows.

    `settings`: of the store of `service`. `operators`: the principals that may do what is about all of it.
    """
    app = FastAPI(
        title="headwater",
        version="1",
        description=DESCRIPTION,
        openapi_url=f"{V1}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # or each request looks for it
        generate_unique_id_function=document.operation_id,
    )
    app.state.service = service
    app.state.authentication = authentication
    app.state.submitter = submitter = Submitter(service)
    app.state.partial_uploads = PartialUploads(service)
    app.state.webhooks = WebhookDesk(service, submitter)
    app.state.streams = Streams(service)
    app.state.operations = Operations(service, settings, operators)
    problems.install(app)
    document.install(app)
    app.include_router(health.router)
    for router in _version_1():  # side by side: of a router in a router, each level is tried again
        # The caller is asked for also where a route does not ask who it is. The document tells of it by the scheme.
        app.include_router(router, prefix=V1, dependencies=[Security(SCHEME), Depends(caller_of), Depends(known_query)])
    add_page(app)
    app.add_middleware(Direct, routes=direct_routes(app, submitting))  # and around it what holds for every request
    if isinstance(authentication, OpenAuthentication):
        app.add_middleware(LocalOnly)
    app.add_middleware(Bounds)
    app.add_middleware(Measured, metrics=service.metrics)
    return app


def _version_1() -> Iterator[APIRouter]:
    """Everything whose form is promised. Routes are tried in this order."""
    yield submitting
    yield from ROUTERS
    yield from (reading, uploads, contents, events, webhooks, operations)
