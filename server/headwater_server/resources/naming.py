"""What the paths of requests name, as far as the caller may read it. What it may not read is answered as not there."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import VersionInfo
from headwater_schemas.errors import InvalidName
from headwater_schemas.events import ExpectedVersion
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import NAME_LENGTH_MAX
from headwater_schemas.names import check_alias, check_name, parse_version

from headwater_server.access.caller import Caller, CallerOf
from headwater_server.http.problems import Problem, not_found
from headwater_server.service import Service

READER = "reader"
NO_VERSION = "none"  # where an alias is expected to be new
NAME = r"^[A-Za-z0-9_.\-]+$"  # as far as a pattern can say it; `check_name` says all of it

EntityName = Annotated[str, Path(max_length=NAME_LENGTH_MAX, pattern=NAME, examples=["team"])]
ProjectName = Annotated[str, Path(max_length=NAME_LENGTH_MAX, pattern=NAME, examples=["vision"])]
ArtifactName = Annotated[str, Path(max_length=NAME_LENGTH_MAX, pattern=NAME, examples=["images"])]
RunId = Annotated[str, Path(max_length=NAME_LENGTH_MAX, pattern=NAME, examples=["train"])]
Selector = Annotated[
    str, Path(max_length=NAME_LENGTH_MAX, examples=["latest"], description="A number, such as v3, or an alias.")
]


def may_read(caller: Caller, qualified: str) -> bool:
    """Whether it may read what is called "entity/project/…", or "entity/project"."""
    return caller.may(READER, "/".join(qualified.split("/", 2)[:2]))


def checked_project(entity: str, project: str) -> str:
    """ "entity/project". Raises: InvalidName."""
    return f"{check_name(entity, 'entity')}/{check_name(project, 'project')}"


async def readable_project(entity: EntityName, project: ProjectName, caller: CallerOf) -> str:
    """The project that a path names. Raises: Problem where the caller may not read it, InvalidName."""
    name = checked_project(entity, project)
    if not caller.may(READER, name):
        raise not_found(f"project {name}")
    return name


ReadableProject = Annotated[str, Depends(readable_project)]


async def readable_collection(entity: EntityName, project: ProjectName, name: ArtifactName, caller: CallerOf) -> str:
    """The collection that a path names. Raises: as `readable_project`."""
    # Called, not depended upon: each dependency of a dependency costs the framework as much as an index look-up.
    return f"{await readable_project(entity, project, caller)}/{check_name(name, 'collection')}"


ReadableCollection = Annotated[str, Depends(readable_collection)]


async def readable_run(entity: EntityName, project: ProjectName, run: RunId, caller: CallerOf) -> str:
    """The run that a path names. Raises: as `readable_project`."""
    return f"{await readable_project(entity, project, caller)}/{check_name(run, 'run')}"


ReadableRun = Annotated[str, Depends(readable_run)]


async def version_of(service: Service, collection: str, selector: str) -> VersionInfo:
    """As `live_version`, asked in a thread."""
    return await service.query(live_version, service.database, collection, selector)


def live_version(database: Database, collection: str, selector: str) -> VersionInfo:
    """As `version_seen`. Raises: Problem for a deleted one, too."""
    info = version_seen(database, collection, selector)
    if info.deleted:
        raise _deleted(f"{collection}:{selector}", purged=info.purged)
    return info


def version_seen(database: Database, collection: str, selector: str) -> VersionInfo:
    """The version that "v3" or an alias names; a deleted one by its number alone. Raises: Problem, InvalidName."""
    number = parse_version(selector)
    if number is None:
        info = queries.version_named(database, collection, check_alias(selector))
    else:
        info = queries.version_info(database, collection, number)
    if info is None:
        raise not_found(f"{collection}:{selector}")
    return info


def expected_version(text: str | None) -> ExpectedVersion | None:
    """What a request expects an alias to be on: a number, or "none"; None: it does not say. Raises: InvalidName."""
    if text is None:
        return None
    number = parse_version(text)
    if number is None and text != NO_VERSION:
        raise InvalidName(f"{quoted(text)} is no number of a version, such as v3, nor {NO_VERSION!r}. Write one.")
    return ExpectedVersion(number)


def _deleted(artifact: str, *, purged: bool) -> Problem:
    return Problem(
        HTTPStatus.GONE,
        "deleted",
        f"{artifact} was deleted{' and purged' * purged}.",
        "Take another version." if purged else "Take another version, or have a maintainer restore it.",
        artifact,
    )
