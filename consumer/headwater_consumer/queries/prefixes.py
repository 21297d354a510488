"""What begins with a text: names of artifacts and runs, aliases, tags and digests. Answers while somebody types.

Each kind is found by an index, and looked for in the order of the kinds until there is no time left. What is in
projects that may not be read is stepped over.
"""

import re
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from headwater_schemas import digests
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.conditions import holds, is_deleted
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.sql import bindparam, func, literal, select
from headwater_consumer.database.tables import ALIASES, COLLECTIONS, ENTRIES, RUNS, TAGS, VERSIONS
from headwater_consumer.queries.artifact_collections import has_live_version
from headwater_consumer.queries.containing import EVERYWHERE
from headwater_consumer.queries.namespaces import walk_projects

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

ARTIFACT, RUN, ALIAS, TAG, VERSION, FILE = "artifact", "run", "alias", "tag", "version", "file"  # kinds of findings
FOUND_MAX = 8  # of each kind
SEARCH_S_MAX = 0.08  # then it ends with what it found
PROJECTS_MAX = 1000  # in which names are looked up
WORDS_MAX = 64  # different aliases, or tags, that begin with the text
ROWS_MAX = 500  # of one tag or digest that are looked at for those that hold
DIGITS_MIN = 4  # of a digest

_LAST = chr(0x10FFFF)
_DIGEST = re.compile(r"(?:(lthash|xxh3|blake3):)?([0-9a-f]{4,128})")
_VERSION_DIGEST = "lthash"


class Prefixed(NamedTuple):
    """Something that begins with the text."""

    kind: str
    text: str  # that begins with it: a name, an alias, a tag or a digest
    subject: str  # the collection, or the run; of a file, its project
    version: int | None


class PrefixFindings(NamedTuple):
    """What begins with the text, by kind."""

    found: list[Prefixed]
    complete: bool  # if not, there was no time to look for more


def search_prefix(
    database: Database, scopes: Sequence[str] | None, text: str, *, seconds_max: float = SEARCH_S_MAX
) -> PrefixFindings:
    """What begins with `text`, at most FOUND_MAX of each kind, in these entities and "entity/project"s; None: in all.

    A name may begin with a capital where the text does not.
    """
    deadline = time.monotonic() + seconds_max
    found: list[Prefixed] = []
    if not text:
        return PrefixFindings(found, True)
    with database.snapshot() as connection:
        for search in (_artifacts, _runs, _aliases, _tags, _version_digests, _file_digests):
            if time.monotonic() > deadline:
                return PrefixFindings(found, False)
            hits = _until(deadline, search(connection, scopes, text))
            found += dict.fromkeys(islice(hits, FOUND_MAX))
    return PrefixFindings(found, time.monotonic() <= deadline)


def _until(deadline: float, hits: Iterator[Prefixed | None]) -> Iterator[Prefixed]:
    """None: something was looked at in vain."""
    for hit in hits:
        if hit is not None:
            yield hit
        if time.monotonic() > deadline:
            return


Hits = Iterator[Prefixed | None]


def _artifacts(connection: Connection, scopes: Sequence[str] | None, text: str) -> Hits:
    for name in _names(connection, scopes, text, of_runs=False):
        yield None if name is None else Prefixed(ARTIFACT, name.rpartition("/")[2], name, None)


def _runs(connection: Connection, scopes: Sequence[str] | None, text: str) -> Hits:
    for name in _names(connection, scopes, text, of_runs=True):
        yield None if name is None else Prefixed(RUN, name.rpartition("/")[2], name, None)


def _names(connection: Connection, scopes: Sequence[str] | None, text: str, *, of_runs: bool) -> Iterator[str | None]:
    for first in dict.fromkeys((text, text.lower(), text.capitalize())):
        for scope in scopes if scopes is not None else (None,):
            rows = _in_scope(connection, scope, first, of_runs)
            yield from sorted(name for (name,) in rows)
            yield None


def _in_scope(connection: Connection, scope: str | None, first: str, of_runs: bool) -> Sequence[Any]:
    if scope is not None and "/" in scope:
        values = {"start": f"{scope}/{first}", "stop": f"{scope}/{first}{_LAST}"}
        return _names_of_project(of_runs).tuples(connection, **values, limit=FOUND_MAX)
    after, end = EVERYWHERE if scope is None else range_of_folder(scope)
    values = {"first": f"/{first}", "last": f"/{first}{_LAST}"}
    statement = _names_of_projects(of_runs)
    return statement.tuples(connection, after=after, end=end, projects=PROJECTS_MAX, **values, limit=FOUND_MAX)


def _aliases(connection: Connection, scopes: Sequence[str] | None, text: str) -> Hits:
    for alias, start, end in _words_in_ranges(connection, scopes, text, of_aliases=True):
        rows = _with_alias().tuples(connection, word=alias, start=start, end=end, limit=FOUND_MAX)
        yield from [Prefixed(ALIAS, alias, collection, version) for collection, version in rows]
        yield None


def _tags(connection: Connection, scopes: Sequence[str] | None, text: str) -> Hits:
    for tag, start, end in _words_in_ranges(connection, scopes, text, of_aliases=False):
        values = {"word": tag, "start": start, "end": end, "rows": ROWS_MAX}
        rows = _with_tag().tuples(connection, **values, limit=FOUND_MAX)
        yield from [Prefixed(TAG, tag, collection, version) for collection, version in rows]
        yield None


def _words_in_ranges(
    connection: Connection, scopes: Sequence[str] | None, text: str, *, of_aliases: bool
) -> Iterator[tuple[str, str, str]]:
    """Each word that begins with the text, with each range of names of collections in which it is to be looked for."""
    ranges = [EVERYWHERE] if scopes is None else [range_of_folder(scope) for scope in scopes]
    values = {"first": text, "last": f"{text}{_LAST}", "words": WORDS_MAX}
    for (word,) in _words(of_aliases).tuples(connection, **values):
        for start, end in ranges:
            yield word, start, end


def _version_digests(connection: Connection, scopes: Sequence[str] | None, text: str) -> Hits:
    found = _DIGEST.fullmatch(text)
    if found is None or found[1] not in (None, _VERSION_DIGEST):
        return
    digest = f"{_VERSION_DIGEST}:{found[2]}"
    for text_of_it, collection, version in _with_version_digest().tuples(
        connection, first=digest, last=digest + _LAST, rows=ROWS_MAX
    ):
        yield Prefixed(VERSION, text_of_it, collection, version) if _is_within(collection, scopes) else None


def _file_digests(connection: Connection, scopes: Sequence[str] | None, text: str) -> Hits:
    found = _DIGEST.fullmatch(text)
    if found is None or found[1] == _VERSION_DIGEST:
        return
    for algorithm, length in digests.DIGEST_BYTES.items():
        digits = found[2]
        if found[1] in (None, algorithm) and len(digits) <= 2 * length:
            first, last = (bytes.fromhex(digits.ljust(2 * length, fill)) for fill in "0f")
            values = {"first": digests.pack(algorithm, first), "last": digests.pack(algorithm, last)}
            for digest, name in _with_file_digest().tuples(connection, **values, rows=ROWS_MAX):
                project = "/".join(name.split("/")[1:3])  # of the object that has it
                hit = Prefixed(FILE, digests.to_text(bytes(digest)), project, None)
                yield hit if _is_within(project, scopes) else None


def _is_within(name: str, scopes: Sequence[str] | None) -> bool:
    entity, project = name.split("/")[:2]
    return scopes is None or entity in scopes or f"{entity}/{project}" in scopes


# --- statements -------------------------------------------------------------------------------------------------


def _is_shown(of_runs: bool) -> "ColumnElement[bool]":
    return holds(RUNS) if of_runs else has_live_version()


@compiled
def _names_of_project(of_runs: bool) -> Statement:
    name: Any = RUNS.c.run if of_runs else COLLECTIONS.c.collection
    begins = name >= bindparam("start"), name < bindparam("stop")
    return select(name).where(*begins, _is_shown(of_runs)).order_by(name).limit(bindparam("limit"))


@compiled
def _names_of_projects(of_runs: bool) -> Statement:
    table = RUNS if of_runs else COLLECTIONS
    name: Any = RUNS.c.run if of_runs else COLLECTIONS.c.collection
    walk = walk_projects(table)
    begins = (name >= walk.c.project + bindparam("first")) & (name < walk.c.project + bindparam("last"))
    return select(name).select_from(walk.join(table, begins)).where(_is_shown(of_runs)).limit(bindparam("limit"))


@compiled
def _words(of_aliases: bool) -> Statement:
    """The different aliases, or tags, of a range: each is looked up after the one before."""
    table = ALIASES if of_aliases else TAGS

    def least(of: Any, *conditions: Any) -> Any:
        word: Any = of.c.alias if of_aliases else of.c.tag
        open_rows = (holds(of),) if of_aliases else ()  # as the index has them
        return select(func.min(word).label("word")).where(*conditions, word < bindparam("last"), *open_rows)

    word: Any = table.c.alias if of_aliases else table.c.tag
    first = least(table, word >= bindparam("first")).add_columns(literal(1).label("number"))
    walk: Any = first.cte("walk", recursive=True)
    other = table.alias("following")
    later: Any = other.c.alias if of_aliases else other.c.tag
    after_it = least(other, later > walk.c.word).scalar_subquery()
    goes_on = walk.c.word.is_not(None), walk.c.number < bindparam("words")
    walk = walk.union_all(select(after_it, walk.c.number + 1).where(*goes_on))
    return select(walk.c.word).where(walk.c.word.is_not(None))


@compiled
def _with_alias() -> Statement:
    within = ALIASES.c.collection > bindparam("start"), ALIASES.c.collection < bindparam("end")
    is_it = ALIASES.c.alias == bindparam("word"), *within, holds(ALIASES), ~is_deleted(ALIASES)
    found = select(ALIASES.c.collection, ALIASES.c.version).where(*is_it)
    return found.order_by(ALIASES.c.collection).limit(bindparam("limit"))


@compiled
def _with_tag() -> Statement:
    within = TAGS.c.collection > bindparam("start"), TAGS.c.collection < bindparam("end")
    looked_at: Any = (
        select(TAGS).where(TAGS.c.tag == bindparam("word"), *within).limit(bindparam("rows")).subquery("looked_at")
    )
    found = select(looked_at.c.collection, looked_at.c.version).where(holds(looked_at), ~is_deleted(looked_at))
    return found.order_by(looked_at.c.collection, looked_at.c.version).limit(bindparam("limit"))


@compiled
def _with_version_digest() -> Statement:
    digest: Any = VERSIONS.c.digest
    begins = digest >= bindparam("first"), digest < bindparam("last"), ~is_deleted()
    return select(digest, VERSIONS.c.collection, VERSIONS.c.version).where(*begins).limit(bindparam("rows"))


@compiled
def _with_file_digest() -> Statement:
    digest: Any = ENTRIES.c.digest
    begins = digest >= bindparam("first"), digest <= bindparam("last")
    return select(digest, ENTRIES.c.object_name).where(*begins).limit(bindparam("rows"))
