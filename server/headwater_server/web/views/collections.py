"""The collections of one project."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries.overviews import CollectionOverview, collection_overviews
from headwater_schemas.names import check_type

from headwater_server.http.problems import not_found
from headwater_server.resources.paging import cursor_key, cursor_text, page_of

PAGE = 50
TYPES_MAX = 50
_LIST = "collections"  # the name of the list in cursors: the same as that of the interface


@dataclass(frozen=True, slots=True)
class AliasAt:
    """An alias, and the version that it is on."""

    alias: str
    version: int


@dataclass(frozen=True, slots=True)
class NewestVersion:
    """The newest version of a collection."""

    version: int
    files: int
    size_bytes: int
    created_us: int


@dataclass(frozen=True, slots=True)
class CollectionLine:
    """One collection in the list."""

    collection: str
    name: str
    type: str
    versions: int
    newest: NewestVersion | None
    aliases: Sequence[AliasAt]
    aliases_more: int  # that are not listed
    changed_us: int | None


@dataclass(frozen=True, slots=True)
class Collections:
    """A page of them, by name."""

    project: str
    collections: Sequence[CollectionLine]
    types: Sequence[str]  # of the project's collections, the first TYPES_MAX
    type: str | None  # the one that was chosen
    has_runs: bool
    is_first: bool
    next: str | None  # the cursor of the next page


def collections(database: Database, *, project: str, type: str | None, cursor: str | None) -> Collections:  # noqa: A002
    """Those of a project that may be read, from a cursor on. Cost: some fifty index look-ups for each."""
    chosen = None if type is None else check_type(type)
    after = None if cursor is None else f"{project}/{cursor_key(_LIST, cursor, str)[0]}"
    if not queries.has_begun(database, project):
        raise not_found(f"project {project}")
    found = queries.collections(database, project, type=chosen, after=after, limit=PAGE + 1)
    shown, last = page_of(found, PAGE)
    overviews = collection_overviews(database, [one.collection for one in shown])
    return Collections(
        project=project,
        collections=[_line(one, overviews[one.collection]) for one in shown],
        types=queries.artifact_types(database, project, limit=TYPES_MAX),
        type=chosen,
        has_runs=bool(queries.runs(database, project, limit=1)),
        is_first=cursor is None,
        next=None if last is None else cursor_text(_LIST, last.collection.rpartition("/")[2]),
    )


def _line(info: queries.CollectionInfo, overview: CollectionOverview) -> CollectionLine:
    newest = overview.newest
    return CollectionLine(
        collection=info.collection,
        name=info.collection.rpartition("/")[2],
        type=info.type,
        versions=info.versions,
        newest=None if newest is None else NewestVersion(*newest),
        aliases=[AliasAt(*one) for one in overview.aliases],
        aliases_more=overview.alias_count - len(overview.aliases),
        changed_us=overview.changed_us,
    )
