"""One version: what it is, where it came from, who uses it, and one level of its files."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import VersionInfo
from headwater_consumer.queries.reads import DirectReads
from headwater_consumer.queries.reclaimable import own_bytes
from headwater_consumer.retention.planning import retention_status_of
from headwater_consumer.retention.status import RetentionStatus
from headwater_schemas.provenance import Provenance

from headwater_server.access.caller import Caller
from headwater_server.resources.naming import version_seen
from headwater_server.web.views.json_values import Values, values_of
from headwater_server.web.views.tree import Tree, tree
from headwater_server.web.views.visible import Counted, Sources, run_seen, runs_beside, sources_of

RUNS_SHOWN = 10
SOURCES_SHOWN = 10
OWN_COUNTED_FILES_MAX = 1000  # a version with more says what is its own when it is asked
OWN_S_MAX = 3.0
TEXT_SHOWN_MAX = 4000  # characters of a description


@dataclass(frozen=True, slots=True)
class OwnBytes:
    """How much of what is stored would be free without this version."""

    own_bytes: int
    shared_bytes: int
    is_complete: bool  # if not, its own is at least so much, and shared at most


@dataclass(frozen=True, slots=True)
class Ended:
    """That a version was deleted, or recalled."""

    time_us: int
    author: str
    message: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version."""

    artifact: str  # "entity/project/name:v3"
    collection: str
    project: str
    name: str
    version: int
    asked_as: str  # "v3", or the alias in the address
    type: str
    state: str  # "live", "recalled", "deleted" or "purged"
    reason: str | None  # of a recall
    ended: Ended | None  # who deleted or recalled it
    digest: str
    files: int
    size_bytes: int
    contested: int  # paths that different writers wrote
    aliases: Sequence[str]
    tags: Sequence[str]
    description: str | None
    description_is_cut: bool
    metadata: Values
    base: int | None
    author: str
    message: str | None
    created_us: int
    updated_us: int
    imported: Sequence[Provenance]  # where it comes from
    expires_us: int | None  # when it goes if nothing else changes
    expires_by: str | None  # "by its time to live", "by the policy of the project"
    due: str | None  # the rule by which it goes with the next maintenance
    kept: Sequence[str]  # what keeps it from going
    older: int | None  # the live version before it
    newer: int | None
    logged_by: Counted
    first_run: str | None  # that logged it, where it may be read
    sources: Sources  # what that run used
    used_by: Counted
    own: OwnBytes | None  # None: it is counted when it is asked for
    python: str
    command: str  # for a shell
    tree: Tree | None  # None: it is deleted


def version(
    database: Database,
    caller: Caller,
    *,
    collection: str,
    selector: str,
    folder: str = "",
    cursor: str | None = None,
    counts_own: bool = False,
) -> Version:
    """A version that may be read, by its number or an alias, with one level of its files.

    `counts_own`: say how much is its own, however many files it has; that ends in OWN_S_MAX.
    """
    info = version_seen(database, collection, selector)
    project, _, name = collection.rpartition("/")
    number = info.version
    first_run = run_seen(caller, info.run)
    state = info.state if info.deleted else "live" if info.recalled is None else "recalled"
    description = info.description or None
    status = _retention_status(database, info)
    return Version(
        artifact=f"{collection}:v{number}",
        collection=collection,
        project=project,
        name=name,
        version=number,
        asked_as=selector,
        type=info.type,
        state=state,
        reason=info.recalled,
        ended=_ended(database, info),
        digest=info.digest,
        files=info.entry_count,
        size_bytes=info.size_bytes,
        contested=info.contested_count,
        aliases=info.aliases,
        tags=info.tags,
        description=None if description is None else description[:TEXT_SHOWN_MAX],
        description_is_cut=len(description or "") > TEXT_SHOWN_MAX,
        metadata=values_of(info.metadata),
        base=info.base,
        author=info.author,
        message=info.message,
        created_us=info.created_us,
        updated_us=info.updated_us,
        imported=info.imported,
        expires_us=status.expires_us if status.held is None else None,
        expires_by=status.expires_by if status.held is None else None,
        due=status.due if status.held is None else None,
        kept=status.kept if status.held is None else (status.held,),
        older=_neighbour(database, collection, number, newest_first=True),
        newer=_neighbour(database, collection, number, newest_first=False),
        logged_by=runs_beside(database, caller, collection, number, used=False, shown=RUNS_SHOWN),
        first_run=first_run,
        sources=sources_of(database, caller, first_run, shown=SOURCES_SHOWN),
        used_by=runs_beside(database, caller, collection, number, used=True, shown=RUNS_SHOWN),
        own=_own(database, info, counts_own=counts_own),
        python=f'headwater.Api().artifact("{collection}:v{number}").download()',
        command=f"headwater get {shlex.quote(f'{collection}:v{number}')} {shlex.quote(f'{name}-v{number}')}",
        tree=None if info.deleted else tree(database, info, folder=folder, cursor=cursor),
    )


def _neighbour(database: Database, collection: str, version: int, *, newest_first: bool) -> int | None:
    found = queries.version_infos(database, collection, after=version, limit=1, newest_first=newest_first)
    return found[0].version if found else None


def _own(database: Database, info: VersionInfo, *, counts_own: bool) -> OwnBytes | None:
    if info.deleted or not (counts_own or info.entry_count <= OWN_COUNTED_FILES_MAX):
        return None
    own = own_bytes(database, info.collection, info.version, seconds_max=OWN_S_MAX)
    return OwnBytes(own.size_bytes, max(0, info.size_bytes - own.size_bytes), own.complete)


def _retention_status(database: Database, info: VersionInfo) -> RetentionStatus:
    if info.deleted:
        return RetentionStatus()
    return retention_status_of(DirectReads(database), info, now_us=time.time_ns() // 1000)


def _ended(database: Database, info: VersionInfo) -> Ended | None:
    """Who deleted or recalled it."""
    event = queries.ending_of(database, info.collection, info.version)
    return None if event is None else Ended(event.time_us, event.author, event.message)
