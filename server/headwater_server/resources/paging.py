"""Cursors: where a page ended, as a key of what is listed. Whatever is deleted meanwhile, the next page goes on there.

A cursor names its list, so that one of another list is refused, and says nothing that its holder did not read.
"""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request
from headwater_consumer.queries.reads import ListQuery, all_queries
from headwater_schemas import opaque_texts
from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import check_text

from headwater_server.limits import PAGE_DEFAULT, PAGE_MAX
from headwater_server.lists import listed
from headwater_server.service import Service

INTEGERS_MAX = 1 << 63  # what a database can compare
OPAQUE = "^[A-Za-z0-9_-]*$"
CURSOR_LENGTH_MAX = 8192  # characters: a path in base 64
_SHOWN_MAX = 60
_LISTS = {name: query for name, query in all_queries().items() if isinstance(query, ListQuery)}

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most; the page after it may have others.")]
Cursor = Annotated[
    str | None, Query(max_length=CURSOR_LENGTH_MAX, pattern=OPAQUE, description="`next` of the page before.")
]
LIMIT: int = PAGE_DEFAULT


def cursor_text(of_list: str, *key: str | int) -> str:
    """The cursor after the item with this key, in the list of this name."""
    return opaque_texts.encode([of_list, *key])


def cursor_key(of_list: str, text: str, *kinds: type) -> Sequence[Any]:
    """The key in a cursor, whose parts are of these types. Raises: InvalidInput for anything else."""
    try:
        key: list[Any]
        name, *key = opaque_texts.decode(text)
    except (ValueError, TypeError):
        raise _not_a_cursor(text) from None
    if name != of_list or [type(part) for part in key] != list(kinds):
        raise _not_a_cursor(text)
    for part in key:
        if isinstance(part, str):
            check_text(part, "cursor")
        elif not -INTEGERS_MAX <= part < INTEGERS_MAX:
            raise _not_a_cursor(text)
    return key


def next_query(request: Request, cursor: str | None) -> str | None:
    """The query of the next page's URL."""
    if cursor is None:
        return None
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return urlencode([*kept, ("cursor", cursor)])


def page_of(found: Sequence[T], limit: int, *, more: bool = False) -> tuple[Sequence[T], T | None]:
    """Of one more than a page has, or fewer where there are `more`: the page, and its last item if others follow."""
    if more and 0 < len(found) <= limit:
        return found, found[-1]
    return found[:limit], found[limit - 1] if len(found) > limit else None


async def read_page(service: Service, of_list: str, limit: int, **arguments: Any) -> tuple[Sequence[Any], Any | None]:
    """A page of a list that queries know by this name, as `page_of`. It ends early where its items have much text."""
    found, more = await service.query(listed, _LISTS[of_list], service.database, {**arguments, "limit": limit + 1})
    return page_of(found, limit, more=more)


def _not_a_cursor(text: str) -> InvalidInput:
    return InvalidInput(
        f"{quoted(text, _SHOWN_MAX)} is no cursor of this list. Pass `next` of the page before, unchanged."
    )
