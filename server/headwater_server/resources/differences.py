"""What changed from one version to another, which may be of other artifacts or projects."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import EntryContent, EntryDifference, VersionInfo
from headwater_schemas import digests
from headwater_schemas.errors import InvalidName
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import ArtifactReference

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources import models
from headwater_server.resources.naming import may_read, version_of
from headwater_server.resources.paging import LIMIT, Cursor, Limit, cursor_key, cursor_text, next_query, page_of
from headwater_server.service import Service, ServiceOf

QUALIFIED_LENGTH_MAX = 600  # characters

router = APIRouter(tags=["contents"], dependencies=[NotBefore])
Artifact = Annotated[str, Query(max_length=QUALIFIED_LENGTH_MAX, examples=["team/vision/images:v0"])]


@router.get("/diff", response_model=models.Differences)
async def diff(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    before: Artifact,
    after: Artifact,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The paths at which two versions differ. Cost of a page: the rows in which they differ before it."""
    old, new = await named(service, caller, before), await named(service, caller, after)
    beyond = "" if cursor is None else cursor_key("diff", cursor, str)[0]
    found = await service.query(_differences, service.database, old, new, beyond, limit + 1)
    page, last = page_of(found, limit)
    following = None if last is None else cursor_text("diff", last.path)
    body = models.Differences(items=[_model(one) for one in page], next=following)
    return answer(request, body, next_page=next_query(request, following))


async def named(service: Service, caller: Caller, artifact: str) -> VersionInfo:
    """The version that "entity/project/name:version" names. Raises: Problem where the caller may not read it."""
    parsed = ArtifactReference.parse(artifact)
    if parsed.entity is None or parsed.project is None:
        raise InvalidName(f"{quoted(artifact)} is not of the form entity/project/name:version. Write all of it.")
    project = f"{parsed.entity}/{parsed.project}"
    if not may_read(caller, project):
        raise not_found(artifact)
    return await version_of(service, f"{project}/{parsed.name}", parsed.selector)


def _differences(
    database: Database, old: VersionInfo, new: VersionInfo, beyond: str, limit: int
) -> Sequence[EntryDifference]:
    rows = chain.from_iterable(queries.diff_layers(database, old.layers, new.layers))
    return list(islice((row for row in rows if row.path > beyond), limit))


def _model(difference: EntryDifference) -> models.Difference:
    change: Literal["added", "removed", "modified"] = "modified"
    if difference.before is None:
        change = "added"
    elif difference.after is None:
        change = "removed"
    return models.Difference(
        path=difference.path, change=change, before=_content(difference.before), after=_content(difference.after)
    )


def _content(content: EntryContent | None) -> models.Content | None:
    if content is None:
        return None
    return models.Content(
        size_bytes=content.size,
        digest=None if content.digest is None else digests.to_text(content.digest),
        executable=content.executable,
        uri=content.uri,
        checksum=content.checksum,
        object_version=content.object_version,
    )
