"""Search, within what the caller may read: artifacts by a part of their name, versions by what is known of them."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import Finding, Findings
from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import NAME_LENGTH_MAX
from headwater_schemas.names import check_alias, check_name, check_project, check_text

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.access.not_before import NotBefore
from headwater_server.access.visible import outermost
from headwater_server.http.answering import answer
from headwater_server.http.problems import not_found
from headwater_server.resources import models
from headwater_server.resources.naming import READER
from headwater_server.resources.paging import LIMIT, Limit
from headwater_server.service import ServiceOf

WORDS_MAX = 1024  # characters
SEARCH_S_MAX = 5.0  # in all that the caller may read
VERSION_DIGEST = "lthash:"

Search = Callable[[Database, str | None], Findings]

router = APIRouter(tags=["search"], dependencies=[NotBefore])


@router.get("/search", response_model=models.Found)
async def search(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    name: Annotated[str | None, Query(max_length=NAME_LENGTH_MAX, description="A part of an artifact's name.")] = None,
    tag: Annotated[str | None, Query(max_length=NAME_LENGTH_MAX, description="A tag of a version.")] = None,
    metadata: Annotated[
        str | None, Query(max_length=WORDS_MAX, description="KEY=VALUE, at the top of a version's metadata.")
    ] = None,
    digest: Annotated[
        str | None, Query(max_length=WORDS_MAX, description="Of a version (lthash:…), or of a file (xxh3:…, blake3:…).")
    ] = None,
    within: Annotated[
        str | None, Query(max_length=2 * NAME_LENGTH_MAX + 1, description="An entity, or entity/project.")
    ] = None,
    limit: Limit = LIMIT,
) -> Response:
    """By exactly one of `name`, `tag`, `metadata` and `digest`. Versions that are deleted are not found."""
    chosen = _chosen(name, tag, metadata, digest)
    scopes = _scopes(caller, within)
    found, complete = await service.search(caller.principal, _all_of, service.database, chosen, scopes)
    items = [models.Hit(collection=c, version=None if v is None else f"v{v}", path=p) for c, v, p in found[:limit]]
    return answer(request, models.Found(items=items, count=len(found), complete=complete))


def _chosen(name: str | None, tag: str | None, metadata: str | None, digest: str | None) -> Search:
    """The one search that was asked for. Raises: InvalidInput for none, or several."""
    asked: list[Search] = []
    if name is not None:
        asked.append(partial(queries.search_names, text=check_text(name, "name")))
    if tag is not None:
        asked.append(partial(queries.search_tags, tag=check_alias(tag, "tag")))
    if metadata is not None:
        key, sign, value = check_text(metadata, "metadata").partition("=")
        if not sign:
            raise InvalidInput(f"metadata {quoted(metadata, 100)} has no value to search for. Write KEY=VALUE.")
        asked.append(partial(queries.search_metadata, key=key, value=value))
    if digest is not None:
        asked.append(_by_digest(check_text(digest, "digest")))
    if len(asked) != 1:
        raise InvalidInput("search by one of name, tag, metadata and digest. Give exactly one.")
    return asked[0]


def _by_digest(digest: str) -> Search:
    if digest.startswith(VERSION_DIGEST):
        return partial(queries.search_version_digest, digest=digest)
    algorithm, _, digits = digest.partition(":")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raw = b""
    if len(raw) != digests.DIGEST_BYTES[digests.check_algorithm(algorithm)]:
        raise InvalidInput(f"{quoted(digest, 100)} is no whole digest. Write all of it.")
    return partial(queries.search_content, digest=digests.pack(algorithm, raw))


def _scopes(caller: Caller, within: str | None) -> Sequence[str | None]:
    """Where to search: each part of `within` that the caller may read, or everywhere (None). Raises: Problem."""
    chosen = None
    if within is not None:
        chosen = check_project(within) if "/" in within else check_name(within, "entity")
        if caller.may(READER, chosen):
            return [chosen]
    granted = caller.scopes(READER)
    if granted is None:
        return [None]
    inside = [scope for scope in granted if chosen is None or scope.startswith(f"{chosen}/")]
    if chosen is not None and not inside:
        raise not_found(chosen)
    return outermost(inside)


def _all_of(database: Database, chosen: Search, scopes: Sequence[str | None]) -> tuple[list[Finding], bool]:
    found: list[Finding] = []
    deadline = time.monotonic() + SEARCH_S_MAX
    for scope in scopes:
        part = chosen(database, scope)
        found += part.found
        if not part.complete or time.monotonic() > deadline:
            return found, False
    return found, True
