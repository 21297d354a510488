"""Runs, what they used and what they logged."""

import json
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import RunInfo, RunInputInfo
from headwater_schemas.names import check_label

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources import models
from headwater_server.resources.naming import ReadableProject, ReadableRun, may_read
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

Edge = tuple[str, int]  # collection, version
BEGINNING: Edge = ("", -1)

router = APIRouter(prefix="/projects/{entity}/{project}/runs", tags=["runs"], dependencies=[NotBefore])


@router.get("", response_model=models.Runs)
async def list_runs(
    request: Request,
    service: ServiceOf,
    project: ReadableProject,
    job_type: Annotated[str | None, Query(description="Only those of this job type.")] = None,
    group: Annotated[str | None, Query(description="Only those of this group.")] = None,
    commit: Annotated[
        str | None, Query(description="Only those of this git commit; its first digits are enough.")
    ] = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The runs of a project, the last started first."""
    page, last = await read_page(
        service,
        "runs",
        limit,
        project=project,
        job_type=None if job_type is None else check_label(job_type, "job_type"),
        group=None if group is None else check_label(group, "group"),
        commit=commit,
        after=None if cursor is None else _run_key(cursor),
    )
    following = None if last is None else cursor_text("runs", *queries.cursor_of(last))
    body = models.Runs(items=[run_model(info) for info in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


@router.get("/{run}", response_model=models.Run)
async def get_run(request: Request, service: ServiceOf, run: ReadableRun) -> Response:
    """One run."""
    info = await service.query(queries.run_info, service.database, run)
    if info is None:
        raise not_found(f"run {run}")
    return answer(request, run_model(info))


@router.get("/{run}/inputs", response_model=models.RunInputs)
async def list_run_inputs(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    run: ReadableRun,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The versions that a run used, as far as you may read them."""
    after = BEGINNING if cursor is None else edge_key("inputs", cursor)
    found = await service.query(inputs_seen, service.database, caller, run, after, limit + 1)
    page, last = page_of(found, limit)
    following = None if last is None else cursor_text("inputs", last.collection, last.version)
    items = [
        models.RunInput(
            artifact=f"{one.collection}:v{one.version}", requested=list(one.requested), use_as=list(one.use_as)
        )
        for one in page
    ]
    return answer(request, models.RunInputs(items=items, next=following), next_page=next_query(request, following))


@router.get("/{run}/outputs", response_model=models.RunOutputs)
async def list_run_outputs(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    run: ReadableRun,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The versions that a run logged, as far as you may read them."""
    after = BEGINNING if cursor is None else edge_key("outputs", cursor)
    found = await service.query(outputs_seen, service.database, caller, run, after, limit + 1)
    page, last = page_of(found, limit)
    following = None if last is None else cursor_text("outputs", *last)
    items = [models.RunOutput(artifact=f"{collection}:v{version}") for collection, version in page]
    return answer(request, models.RunOutputs(items=items, next=following), next_page=next_query(request, following))


def _run_key(cursor: str) -> tuple[int, int]:
    started_us, position = cursor_key("runs", cursor, int, int)
    return started_us, position


def edge_key(of_list: str, cursor: str) -> Edge:
    """The version in a cursor."""
    collection, version = cursor_key(of_list, cursor, str, int)
    return collection, version


def inputs_seen(database: Database, caller: Caller, run: str, after: Edge, limit: int) -> list[RunInputInfo]:
    """The next ones that the caller may read: what it may not is passed over, and named in no cursor."""
    seen: list[RunInputInfo] = []
    while len(seen) < limit and (found := queries.inputs_of(database, run, after=after)):
        seen += [one for one in found if may_read(caller, one.collection)]
        after = found[-1].collection, found[-1].version
    return seen[:limit]


def outputs_seen(database: Database, caller: Caller, run: str, after: Edge, limit: int) -> list[Edge]:
    """As `inputs_seen`."""
    seen: list[Edge] = []
    while len(seen) < limit and (found := queries.outputs_of(database, run, after=after)):
        seen += [one for one in found if may_read(caller, one[0])]
        after = found[-1]
    return seen[:limit]


def run_model(info: RunInfo) -> models.Run:
    """A run as it is answered."""
    code = None
    if (found := info.capture) is not None:
        code = models.Code(commit=found.commit, remote=found.remote, branch=found.branch, dirty=found.dirty)
    return models.Run(
        run=info.run,
        state=info.state_at(time.time_ns() // 1000),
        job_type=info.job_type,
        group=info.group,
        display_name=info.display_name,
        config=json.loads(info.config),
        summary=json.loads(info.summary),
        tags=list(info.tags),
        author=info.author,
        started=models.when(info.started_us),
        finished=None if info.finished_us is None else models.when(info.finished_us),
        code=code,
    )
