"""What changed since a moment, or since an alias was moved: in a project, or in one collection of it."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries.alias_history import alias_moves
from headwater_consumer.queries.event_pages import version_events
from headwater_consumer.queries.event_starts import version_events_before
from headwater_consumer.queries.results import EventFilter, VersionEventInfo
from headwater_schemas.access import READER
from headwater_schemas.errors import InvalidInput
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.events import SHARED_DRAFT
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import check_alias, check_name
from headwater_schemas.version_events import DETAILS, RUN_KINDS, microseconds_of

from headwater_server.access.caller import Caller
from headwater_server.http.problems import not_found
from headwater_server.resources.paging import cursor_key, cursor_text

PAGE = 200
LOOK_S_MAX = 0.15  # then the page shows what was found, and goes on from there
SHOWN_MAX = 60  # characters of what was asked, in an error
ALIASES_OFFERED = 50
DEFAULT = "1d"
_LIST = "feed"
_AGO = re.compile(r"([1-9][0-9]{0,3})([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened."""

    id: str
    kind: str  # of `headwater_schemas.version_events`
    subject: str  # the collection or run
    is_of_run: bool  # whether the subject is one
    version: int | None
    before: int | None  # the version that an alias was on
    alias: str | None
    run: str | None
    draft: str | None
    reason: str | None
    state: str | None  # of a run that finished
    author: str
    message: str | None
    time_us: int


@dataclass(frozen=True, slots=True)
class AliasChoice:
    """An alias since whose last move one may ask."""

    name: str  # of the collection
    alias: str
    version: int


@dataclass(frozen=True, slots=True)
class Feed:
    """What changed."""

    project: str
    of: str | None  # the name of the one collection
    since: str  # as it was asked
    since_us: int
    since_alias: AliasChoice | None  # where that is the move of an alias
    changes: Sequence[Change]  # the last first
    kinds: Sequence[tuple[str, int]]  # of them, the most frequent first
    is_first: bool
    next: str | None  # the cursor of others: later ones of a project, earlier ones of a collection
    aliases: Sequence[AliasChoice]  # of the collection
    collection: str | None


def feed(
    database: Database,
    caller: Caller,
    *,
    project: str,
    generation: str,
    since: str | None = None,
    of: str | None = None,
    cursor: str | None = None,
) -> Feed:
    """The changes of a project that may be read, or of its collection `of`, since a moment.

    `since`: a time with its zone, so long ago ("90m", "12h", "7d", "2w"), or "NAME:ALIAS" for the last move of an
    alias. `generation`: of the log. Cost: of a project, all events since then, as far as LOOK_S_MAX reaches.
    """
    if not queries.has_begun(database, project):
        raise not_found(f"project {project}")
    asked = since or DEFAULT
    collection = None if of is None else f"{project}/{check_name(of, 'collection')}"
    if collection is not None and queries.collection_info(database, collection) is None:
        raise not_found(collection)
    since_us, alias = _moment(database, project, asked)
    granted = caller.scopes(READER)
    scopes = None if granted is None else frozenset(granted)
    if collection is None:
        start = None if cursor is None else EventCursor.decode(cursor)
        start = start or version_events_before(database, generation, since_us)
        found, following = _of_project(database, start, EventFilter(scopes=scopes, project=project))
    else:
        found, following = _of_collection(database, collection, since_us, cursor, scopes)
    changes = [_change(event.shown_within(scopes)) for event in found]
    held = [] if collection is None else queries.aliases_of(database, collection, limit=ALIASES_OFFERED)
    return Feed(
        project=project,
        of=of,
        since=asked,
        since_us=since_us,
        since_alias=alias,
        changes=changes,
        kinds=Counter(one.kind for one in changes).most_common(),
        is_first=cursor is None,
        next=following,
        aliases=[AliasChoice(of, name, version) for name, version in held if of is not None],
        collection=collection,
    )


def _of_project(
    database: Database, start: EventCursor, wanted: EventFilter
) -> tuple[list[VersionEventInfo], str | None]:
    """The first events after a cursor, the last first, and the cursor of the others."""
    deadline = time.monotonic() + LOOK_S_MAX
    found: list[VersionEventInfo] = []
    while True:
        page = version_events(database, start, wanted=wanted, limit=PAGE - len(found))
        found += page.events
        start = page.cursor
        if not page.more:
            return found[::-1], None
        if len(found) >= PAGE or time.monotonic() > deadline:
            return found[::-1], start.encode()


def _of_collection(
    database: Database, collection: str, since_us: int, cursor: str | None, scopes: frozenset[str] | None
) -> tuple[list[VersionEventInfo], str | None]:
    """The last events since a time, the last first, and the cursor of the earlier ones."""
    deadline = time.monotonic() + LOOK_S_MAX
    wanted = EventFilter(scopes=scopes)
    before = None if cursor is None else _place(cursor)
    found: list[VersionEventInfo] = []
    while True:
        page = queries.history_of(database, collection, before=before, limit=PAGE)
        found += [event for event in page if event.time_us >= since_us and wanted.accepts(event)]
        if len(page) < PAGE or page[-1].time_us < since_us:
            return found, None
        before = page[-1].position, page[-1].index
        if len(found) >= PAGE or time.monotonic() > deadline:
            return found, cursor_text(_LIST, *before)


def _place(cursor: str) -> tuple[int, int]:
    position, index = cursor_key(_LIST, cursor, int, int)
    return position, index


def _moment(database: Database, project: str, asked: str) -> tuple[int, AliasChoice | None]:
    """Raises: InvalidInput, Problem."""
    name, colon, alias = asked.partition(":")
    if (ago := _AGO.fullmatch(asked)) is not None:
        return time.time_ns() // 1000 - int(ago[1]) * _SECONDS[ago[2]] * 1_000_000, None
    try:
        at = datetime.fromisoformat(asked)
    except ValueError:
        if not colon:
            raise _not_a_moment(asked) from None
        return _moved(database, f"{project}/{check_name(name, 'collection')}", check_alias(alias))
    if at.tzinfo is None:
        raise _not_a_moment(asked)
    return max(0, microseconds_of(at)), None


def _moved(database: Database, collection: str, alias: str) -> tuple[int, AliasChoice]:
    moved = next(iter(alias_moves(database, collection, alias, limit=1)), None)
    if moved is None or moved.version is None:
        raise not_found(f"{collection}:{alias}")
    return moved.time_us + 1, AliasChoice(collection.rpartition("/")[2], alias, moved.version)


def _not_a_moment(asked: str) -> InvalidInput:
    return InvalidInput(
        f"{quoted(asked, SHOWN_MAX)} is no moment. Give a time with its zone, such as 2026-01-31T12:00:00Z, or how "
        "long ago, such as 12h or 7d, or an alias whose last move counts, such as images:prod."
    )


def _change(event: VersionEventInfo) -> Change:
    is_of_run = event.kind in RUN_KINDS
    told = {DETAILS[event.kind]: event.detail} if event.kind in DETAILS else {}
    draft = told.get("draft")
    return Change(
        id=event.id,
        kind=event.kind,
        subject=event.subject,
        is_of_run=is_of_run,
        version=event.version,
        before=event.before,
        alias=told.get("alias"),
        run=event.subject if is_of_run else told.get("run"),
        draft=None if draft is None else draft.removeprefix(SHARED_DRAFT),
        reason=told.get("reason"),
        state=told.get("state"),
        author=event.author,
        message=event.message,
        time_us=event.time_us,
    )
