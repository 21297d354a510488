"""Runs: beginning, going on and ending them, and the versions that they use."""

from http import HTTPStatus
from typing import Annotated

from blake3 import blake3
from fastapi import APIRouter, Depends, Request, Response
from headwater_schemas import metadata
from headwater_schemas.events import ArtifactUsed, Event, RunFinished, RunStarted, RunUpdated
from headwater_schemas.names import ArtifactReference, check_alias, check_label, check_name, check_purpose

from headwater_server.access.caller import CallerOf
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources.naming import ReadableProject, ReadableRun, may_read, version_of
from headwater_server.resources.writing.edits import ACCEPTED, written
from headwater_server.resources.writing.shapes import RunChange, RunEnd, RunStart, Started, Use, Used, Written
from headwater_server.resources.writing.writer import WriterOf, status_of
from headwater_server.service import ServiceOf
from headwater_server.typed_bodies import body_of, documented

ID_BYTES = 8  # of a new run: as many as two runs of one project never share

router = APIRouter(prefix="/projects/{entity}/{project}/runs", tags=["runs"])


@router.post(
    "",
    response_model=Started,
    status_code=HTTPStatus.CREATED,
    responses={202: {"model": Started}},
    openapi_extra=documented(RunStart),
)
async def start_run(
    request: Request,
    project: ReadableProject,
    body: Annotated[RunStart, Depends(body_of(RunStart))],
    writer: WriterOf,
) -> Response:
    """Begin a run; one of the same id goes on. It runs until its end is told."""
    new_id = blake3(writer.session.encode()).hexdigest(ID_BYTES)
    run = f"{project}/{new_id if body.id is None else check_name(body.id, 'run')}"
    event = RunStarted(
        run=run,
        job_type=None if body.job_type is None else check_label(body.job_type, "job_type"),
        group=None if body.group is None else check_label(body.group, "group"),
        display_name=None if body.display_name is None else check_label(body.display_name, "display_name"),
        config=metadata.encode(body.config, "config"),
        tags=tuple(check_alias(tag, "tag") for tag in body.tags),
    )
    result = await writer.write([event])
    model = Started(cut=result.cut, done=result.is_known, run=run)
    return answer(request, model, status=status_of(result, HTTPStatus.CREATED))


@router.patch("/{run}", response_model=Written, responses=ACCEPTED, openapi_extra=documented(RunChange))
async def update_run(
    request: Request,
    run: ReadableRun,
    body: Annotated[RunChange, Depends(body_of(RunChange))],
    writer: WriterOf,
) -> Response:
    """Set values of a run's config or summary."""
    event = RunUpdated(
        run=run,
        config_set=None if body.config is None else metadata.encode(body.config, "config"),
        summary_set=None if body.summary is None else metadata.encode(body.summary, "summary"),
    )
    return await written(request, writer, event)


@router.post("/{run}/finish", response_model=Written, responses=ACCEPTED, openapi_extra=documented(RunEnd))
async def finish_run(
    request: Request,
    run: ReadableRun,
    body: Annotated[RunEnd, Depends(body_of(RunEnd))],
    writer: WriterOf,
) -> Response:
    """Tell that a run ended, and how."""
    events: list[Event] = []
    if body.summary is not None:
        events.append(RunUpdated(run=run, summary_set=metadata.encode(body.summary, "summary")))
    return await written(request, writer, *events, RunFinished(run=run, state=body.state))


@router.post("/{run}/inputs", response_model=Used, responses={202: {"model": Used}}, openapi_extra=documented(Use))
async def use_version(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    run: ReadableRun,
    body: Annotated[Use, Depends(body_of(Use))],
    writer: WriterOf,
) -> Response:
    """Tell that a run uses a version. An alias is what it is now; the answer says which version that is."""
    entity, project, _ = run.split("/")
    named = ArtifactReference.parse(body.artifact)
    collection = f"{named.entity or entity}/{named.project or project}/{named.name}"
    if not may_read(caller, collection):
        raise not_found(body.artifact)
    info = await version_of(service, collection, named.selector)
    purpose = None if body.use_as is None else check_purpose(body.use_as)
    result = await writer.write(
        [ArtifactUsed(collection=collection, version=info.version, run=run, requested=body.artifact, use_as=purpose)]
    )
    model = Used(cut=result.cut, done=result.is_known, artifact=f"{collection}:v{info.version}")
    return answer(request, model, status=status_of(result))
