"""Whether the server lives, whether it can answer, and its figures for Prometheus."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from headwater_schemas.errors import HeadwaterError
from pydantic import BaseModel

from headwater_server.http.told import told
from headwater_server.metrics import Metrics
from headwater_server.service import ServiceOf

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether the stores answer."""

    status: Literal["ready", "not-ready"]
    trouble: str | None


@router.get("/health")
async def health() -> Health:
    """The process answers. Asks nobody."""
    return Health(status="ok")


@router.get("/ready", responses={503: {"model": Readiness}})
async def ready(service: ServiceOf, response: Response) -> Readiness:
    """Whether the stores answer, so that requests can be sent here; 503 where not, and while the server stops."""
    trouble = await service.query(_trouble_of, service)
    if trouble is not None:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(status="ready" if trouble is None else "not-ready", trouble=trouble)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {Metrics.MEDIA_TYPE.partition(";")[0]: {"schema": {"type": "string"}}}}},
)
async def metrics(service: ServiceOf) -> Response:
    """In the text format of Prometheus."""
    return Response(service.metrics.text(), media_type=service.metrics.MEDIA_TYPE)


def _trouble_of(service: ServiceOf) -> str | None:
    if service.is_stopping:
        return "the server is stopping"
    try:
        service.stores.projection.now()
        return next(filter(None, (ask() for ask in service.troubles)), None)
    except HeadwaterError as error:
        return told(error)
