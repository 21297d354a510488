"""One collection: what its main alias is on, its versions, and its aliases over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import DraftInfo, VersionInfo
from headwater_consumer.queries.alias_history import alias_moves
from headwater_consumer.queries.reads import DirectReads
from headwater_consumer.queries.uses import count_runs_of_version
from headwater_consumer.retention.planning import policies_of, policy_infos
from headwater_schemas.events import SHARED_DRAFT
from headwater_schemas.retention import policy_for, shown_name

from headwater_server.access.caller import Caller
from headwater_server.http.problems import not_found
from headwater_server.resources.paging import cursor_key, cursor_text, page_of
from headwater_server.web.views.alias_timeline import Timeline, chosen_alias, timeline
from headwater_server.web.views.visible import RUNS_COUNTED_MAX, Sources, run_ranges, run_seen, sources_of

PAGE = 50
SOURCES_SHOWN = 3  # in the sentence
DRAFTS_SHOWN = 5
_VERSIONS = "versions"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What one alias is on, and how that came about."""

    alias: str
    version: int
    moved_us: int | None
    moved_by: str | None
    message: str | None
    made_by: str | None  # a run; None where there was none, or it may not be read
    sources: Sources  # what that run used
    users: int  # runs that used it; counting stops at `users_counted_max`
    users_counted_max: int
    recalled: str | None


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version in the list."""

    version: int
    aliases: Sequence[str]
    tags: Sequence[str]
    description: str | None
    files: int
    size_bytes: int
    created_us: int
    author: str
    run: str | None
    recalled: str | None
    is_imported: bool
    base: int | None


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A draft that is open."""

    shared: str | None  # its `distributed_id`; None: it is of one writer
    base: int | None
    writers: int
    writers_done: int
    waiting_for: int | None
    rows: int
    last_event_us: int


@dataclass(frozen=True, slots=True)
class RetentionLine:
    """The policy that counts for a collection."""

    policy: str  # "keep last 5, keep aliased"
    name: str  # whose it is: "the project", "images"
    set_by: str
    set_us: int
    message: str | None


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection."""

    collection: str
    project: str
    name: str
    type: str
    versions_count: int  # of live ones
    created_us: int
    retention: RetentionLine | None  # None: all versions are kept that have no time to live
    sentence: Sentence | None  # None: there is no alias
    versions: Sequence[VersionLine]
    versions_next: str | None
    is_first: bool
    timeline: Timeline
    drafts: Sequence[DraftLine]
    drafts_more: bool


def collection(
    database: Database,
    caller: Caller,
    *,
    collection: str,
    cursor: str | None = None,
    alias: str | None = None,
    moves: str | None = None,
) -> Collection:
    """A collection that may be read: its versions from a cursor on, and the moves of `alias` from `moves` on.

    Cost: some look-ups for each version and move that is shown, whatever else there is.
    """
    info = queries.collection_info(database, collection)
    if info is None:
        raise not_found(collection)
    project, _, name = collection.rpartition("/")
    after = None if cursor is None else cursor_key(_VERSIONS, cursor, int)[0]
    found = queries.version_infos(database, collection, after=after, limit=PAGE + 1)
    shown, last = page_of(found, PAGE)
    drafts = queries.open_drafts(database, project, collection=collection, limit=DRAFTS_SHOWN + 1)
    main = chosen_alias(database, collection, project)
    return Collection(
        collection=collection,
        project=project,
        name=name,
        type=info.type,
        versions_count=info.versions,
        created_us=info.created_us,
        retention=_retention(database, project, name),
        sentence=None if main is None else _sentence(database, caller, collection, main),
        versions=[_line(one, caller) for one in shown],
        versions_next=None if last is None else cursor_text(_VERSIONS, last.version),
        is_first=cursor is None,
        timeline=timeline(database, collection, alias=alias, cursor=moves, main=main),
        drafts=[_draft(one) for one in drafts[:DRAFTS_SHOWN]],
        drafts_more=len(drafts) > DRAFTS_SHOWN,
    )


def _retention(database: Database, project: str, name: str) -> RetentionLine | None:
    infos = {info.name: info for info in policy_infos(DirectReads(database), project)}
    found = policy_for(policies_of(infos.values()), name)
    if found is None:
        return None
    info, policy = infos[found[0]], found[1]
    return RetentionLine(str(policy), shown_name(info.name), info.author, info.since_us, info.message)


def _sentence(database: Database, caller: Caller, collection: str, alias: str) -> Sentence | None:
    info = queries.version_named(database, collection, alias)
    if info is None:
        return None
    moved = next(iter(alias_moves(database, collection, alias, limit=1)), None)
    made_by = run_seen(caller, info.run)
    within = run_ranges(caller)
    return Sentence(
        alias=alias,
        version=info.version,
        moved_us=None if moved is None else moved.time_us,
        moved_by=None if moved is None else moved.author,
        message=None if moved is None else moved.message,
        made_by=made_by,
        sources=sources_of(database, caller, made_by, shown=SOURCES_SHOWN),
        users=count_runs_of_version(database, collection, info.version, within, used=True, limit=RUNS_COUNTED_MAX),
        users_counted_max=RUNS_COUNTED_MAX,
        recalled=info.recalled,
    )


def _line(info: VersionInfo, caller: Caller) -> VersionLine:
    return VersionLine(
        version=info.version,
        aliases=info.aliases,
        tags=info.tags,
        description=info.description,
        files=info.entry_count,
        size_bytes=info.size_bytes,
        created_us=info.created_us,
        author=info.author,
        run=run_seen(caller, info.run),
        recalled=info.recalled,
        is_imported=bool(info.imported),
        base=info.base,
    )


def _draft(info: DraftInfo) -> DraftLine:
    shared = info.draft.startswith(SHARED_DRAFT)
    return DraftLine(
        shared=info.draft.removeprefix(SHARED_DRAFT) if shared else None,
        base=info.base,
        writers=info.writers,
        writers_done=info.writers_done,
        waiting_for=info.waiting_for,
        rows=info.row_count,
        last_event_us=info.last_event_us,
    )
