"""Search: what begins with a text while it is typed, and everything that contains it once it is asked for."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import Finding
from headwater_consumer.queries.deep_search import search_file_names, search_metadata_text
from headwater_consumer.queries.prefixes import FOUND_MAX as BEGINNING_MAX
from headwater_consumer.queries.prefixes import Prefixed, search_prefix
from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput
from headwater_schemas.names import check_text

from headwater_server.access.caller import Caller
from headwater_server.access.visible import scopes_seen

TEXT_LENGTH_MAX = 200  # characters
FOUND_MAX = 50  # of each kind that are shown
SEARCH_S_MAX = 0.05  # for each kind, unless more time is asked for
LONGER_S_MAX = 3.0  # for each kind, when it is


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that begins with the text."""

    kind: str  # "artifact", "run", "alias", "tag", "version" or "file"
    text: str  # that begins with it
    subject: str  # the collection, or the run; of a file, its project
    version: int | None


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What begins with a text."""

    text: str
    hits: Sequence[Hit]
    is_complete: bool  # if not, there are more of a kind, or there was no time for all


@dataclass(frozen=True, slots=True)
class Place:
    """A collection, a version of it, or a path in that."""

    collection: str
    version: int | None = None
    path: str | None = None
    key: str | None = None  # of the metadata
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one kind of search found."""

    places: Sequence[Place]
    is_complete: bool  # if not, there may be more


@dataclass(frozen=True, slots=True)
class Found:
    """What contains a text."""

    text: str
    begins: Suggestions
    names: Part  # of collections
    contents: Part  # files by their whole digest
    metadata: Part
    files: Part  # names in the newest versions
    took_longer: bool
    could_find_more: bool  # by looking longer


def suggestions(database: Database, caller: Caller, *, text: str) -> Suggestions:
    """What begins with a text, for who types. Ends within some 60 ms."""
    wanted = _checked(text)
    found = search_prefix(database, scopes_seen(caller), wanted)
    has_all = all(count < BEGINNING_MAX for count in Counter(one.kind for one in found.found).values())
    return Suggestions(wanted, [_hit(one) for one in found.found], found.complete and has_all)


def search(database: Database, caller: Caller, *, text: str, longer: bool = False) -> Found:
    """What contains a text, as far as it is found within SEARCH_S_MAX a kind, or LONGER_S_MAX."""
    begins = suggestions(database, caller, text=text)
    wanted, seconds = begins.text, LONGER_S_MAX if longer else SEARCH_S_MAX
    scopes = [None] if (seen := scopes_seen(caller)) is None else list(seen)
    if not wanted:
        nothing = Part((), True)
        return Found("", begins, nothing, nothing, nothing, nothing, longer, False)
    names = _part(partial(queries.search_names, database, text=wanted), scopes, seconds)
    metadata = _part(partial(search_metadata_text, database, text=wanted, limit=FOUND_MAX + 1), scopes, seconds)
    files = _part(partial(search_file_names, database, text=wanted, limit=FOUND_MAX + 1), scopes, seconds)
    parts = (names, metadata, files)
    return Found(
        text=wanted,
        begins=begins,
        names=names,
        contents=_contents(database, scopes, wanted, seconds),
        metadata=metadata,
        files=files,
        took_longer=longer,
        could_find_more=not longer and any(not part.is_complete and len(part.places) < FOUND_MAX for part in parts),
    )


def _part(look: Any, scopes: Sequence[str | None], seconds: float) -> Part:
    """What a search finds in some scopes, one after the other, in about this time."""
    deadline = time.monotonic() + seconds
    places: list[Place] = []
    for scope in scopes:
        found = look(scope=scope, seconds_max=max(0.0, deadline - time.monotonic()))
        places += [_place(one) for one in found.found]
        if not found.complete or len(places) > FOUND_MAX:
            return Part(places[:FOUND_MAX], False)
    return Part(places, True)


def _contents(database: Database, scopes: Sequence[str | None], text: str, seconds: float) -> Part:
    """The files whose digest the text is."""
    try:
        digest = digests.of_text(text)
    except InvalidInput:
        return Part((), True)
    return _part(partial(queries.search_content, database, digest=digest), scopes, seconds)


def _checked(text: str) -> str:
    return check_text(text[:TEXT_LENGTH_MAX].strip(), "search")


def _hit(found: Prefixed) -> Hit:
    return Hit(found.kind, found.text, found.subject, found.version)


def _place(found: Any) -> Place:
    if isinstance(found, Finding):
        return Place(found.collection, found.version, found.path)
    return Place(found.collection, found.version, key=found.key, value=found.value)
