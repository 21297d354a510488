"""How much one event may carry: exactly the limit counts, and one more is refused as a whole."""

from collections.abc import Callable, Iterator

import pytest
from headwater_schemas.entries import Reference
from headwater_schemas.errors import Reason
from headwater_schemas.events import EntryAdded, Event, RunStarted, VersionDescribed
from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX, TAGS_MAX

from tests.consumer.events import DIGITS, PROJECT, SHARED, committed, opened
from tests.consumer.inspection import Databases, rejections_of, rows_of
from tests.support.history import History, files_of
from tests.support.memory_log import MemoryLog


@pytest.fixture
def history(databases: Databases) -> Iterator[History]:
    """On a log in memory, since only the database matters here; with a version and an open draft."""
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        history.commit(DIGITS, {"a": b"1"}, tags=("old",))
        history.write(opened())
        yield history


def _files_and_a_reference(count: int) -> Event:
    files = files_of(PROJECT, {f"{number:05}": b"x" for number in range(count - 1)})
    return EntryAdded(collection=DIGITS, draft=SHARED, files=files, references=(Reference("z", "s3://bucket/z"),))


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"t{number}" for number in range(count))


def _run(tags: tuple[str, ...]) -> Event:
    return RunStarted(run=f"{PROJECT}/r", tags=tags)


def _removed_and_added_tags(count: int) -> Event:
    return VersionDescribed(collection=DIGITS, version=0, tags_added=_names(count - 1), tags_removed=("old",))


EVENTS: dict[str, tuple[Callable[[int], Event], int]] = {
    "entries": (_files_and_a_reference, ENTRIES_PER_EVENT_MAX),
    "tags of a description": (_removed_and_added_tags, TAGS_MAX),
    "tags of a commit": (lambda count: committed(SHARED, tags=_names(count)), TAGS_MAX),
    "aliases of a commit": (lambda count: committed(SHARED, aliases=_names(count)), TAGS_MAX),
    "tags of a run": (lambda count: _run(_names(count)), TAGS_MAX),
    "tags of a run, one of them twice": (lambda count: _run(("t0", *_names(count - 1))), TAGS_MAX),
}


@pytest.mark.parametrize(("event", "limit"), EVENTS.values(), ids=EVENTS.keys())
def test_an_event_may_carry_as_much_as_the_limit_says(
    history: History, event: Callable[[int], Event], limit: int
) -> None:
    history.write(event(limit))

    assert rejections_of(history.database) == []


@pytest.mark.parametrize(("event", "limit"), EVENTS.values(), ids=EVENTS.keys())
def test_an_event_that_carries_one_more_is_refused_as_a_whole(
    history: History, event: Callable[[int], Event], limit: int
) -> None:
    history.write(event(limit + 1))

    assert rejections_of(history.database) == [Reason.INVALID]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    assert f"{limit + 1:,}" in message
    assert f"{limit:,}" in message
    assert rows_of(history.database, "SELECT count(*) FROM entries") == [(1,)]
    assert rows_of(history.database, "SELECT tag FROM tags WHERE to_position IS NULL") == [("old",)]


@pytest.mark.parametrize("tag", ["", "v7", "a\nb", "x" * 200])
def test_a_tag_that_breaks_the_grammar_is_refused_with_all_that_came_with_it(history: History, tag: str) -> None:
    history.write(VersionDescribed(collection=DIGITS, version=0, description="new", tags_added=("good", tag)))

    assert rejections_of(history.database) == [Reason.INVALID]
    assert rows_of(history.database, "SELECT tag FROM tags") == [("old",)]
    assert rows_of(history.database, "SELECT field FROM version_attributes") == []
