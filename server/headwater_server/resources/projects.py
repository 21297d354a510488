"""Entities, projects, and the types of their artifacts."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import ProjectInfo
from headwater_schemas.names import check_name

from headwater_server.access.caller import CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.access.visible import entities_seen, projects_seen
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources import models
from headwater_server.resources.naming import ReadableProject
from headwater_server.resources.paging import LIMIT, Cursor, Limit, cursor_key, cursor_text, next_query, page_of
from headwater_server.service import ServiceOf

router = APIRouter(tags=["projects"], dependencies=[NotBefore])


@router.get("/entities", response_model=models.Entities)
async def list_entities(
    request: Request, service: ServiceOf, caller: CallerOf, limit: Limit = LIMIT, cursor: Cursor = None
) -> Response:
    """The entities that have projects which you may read."""
    after = None if cursor is None else cursor_key("entities", cursor, str)[0]
    found = await service.query(entities_seen, service.database, caller, after=after, limit=limit + 1)
    page, last = page_of(found, limit)
    following = None if last is None else cursor_text("entities", last)
    body = models.Entities(items=[models.Entity(entity=name) for name in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


@router.get("/projects", response_model=models.Projects)
async def list_projects(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    entity: Annotated[str | None, Query(description="Only those of this one.")] = None,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The projects that you may read."""
    chosen = None if entity is None else check_name(entity, "entity")
    after = None if cursor is None else cursor_key("projects", cursor, str)[0]
    found = await service.query(projects_seen, service.database, caller, entity=chosen, after=after, limit=limit + 1)
    page, last = page_of(found, limit)
    following = None if last is None else cursor_text("projects", last.project)
    body = models.Projects(items=[_project_model(info) for info in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


@router.get("/projects/{entity}/{project}", response_model=models.ProjectWithSettings)
async def get_project(request: Request, service: ServiceOf, project: ReadableProject) -> Response:
    """A project, with its settings."""
    return answer(request, await service.query(_project, service.database, project))


@router.get("/projects/{entity}/{project}/types", response_model=models.ArtifactTypes)
async def list_types(
    request: Request, service: ServiceOf, project: ReadableProject, limit: Limit = LIMIT, cursor: Cursor = None
) -> Response:
    """The types of the project's artifacts."""
    after = None if cursor is None else cursor_key("types", cursor, str)[0]
    found = await service.query(queries.artifact_types, service.database, project, after=after, limit=limit + 1)
    page, last = page_of(found, limit)
    following = None if last is None else cursor_text("types", last)
    body = models.ArtifactTypes(items=[models.ArtifactType(type=name) for name in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


def _project(database: Database, project: str) -> models.ProjectWithSettings:
    info = queries.project_info(database, project)
    if info is None:
        raise not_found(f"project {project}")
    settings = queries.project_settings(database, project)
    return models.ProjectWithSettings(**_project_model(info).model_dump(), settings=settings)


def _project_model(info: ProjectInfo) -> models.Project:
    entity = info.project.partition("/")[0]
    return models.Project(project=info.project, entity=entity, artifacts=info.artifacts, runs=info.runs)
