"""The projects that somebody may read."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer.database import Database
from headwater_consumer.queries import ProjectInfo
from headwater_consumer.queries.namespaces import COUNTED_MAX

from headwater_server.access.caller import Caller
from headwater_server.access.visible import projects_seen
from headwater_server.resources.paging import cursor_key, cursor_text, page_of

PAGE = 50  # each is counted
_LIST = "projects"  # the name of the list in cursors: the same as that of the interface


@dataclass(frozen=True, slots=True)
class Projects:
    """A page of them, by name."""

    projects: Sequence[ProjectInfo]
    counted_max: int  # counting artifacts and runs stops here
    is_first: bool
    next: str | None  # the cursor of the next page


def projects(database: Database, caller: Caller, *, cursor: str | None) -> Projects:
    """Those that `caller` may read, from a cursor on. Cost: a few index look-ups for each."""
    after = None if cursor is None else cursor_key(_LIST, cursor, str)[0]
    found = projects_seen(database, caller, entity=None, after=after, limit=PAGE + 1)
    shown, last = page_of(found, PAGE)
    following = None if last is None else cursor_text(_LIST, last.project)
    return Projects(shown, COUNTED_MAX, is_first=cursor is None, next=following)
