"""Facts: rows with a from and a to position. The one place that opens and closes them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from headwater_consumer.projector.moment import Moment
from headwater_consumer.rows import (
    Alias,
    ProjectFact,
    Run,
    RunState,
    Tag,
    Version,
    VersionFact,
    VersionUpdate,
)
from headwater_consumer.state import Change, Put, State

Fact = TypeVar("Fact", Alias, Tag, VersionFact, VersionUpdate, Run, RunState, ProjectFact)


def change_fact(state: State, moment: Moment, fact: Fact) -> list[Put]:
    """From here on `fact` holds: close the row that was open under its key, and open this one.

    Nothing changes where the open row says the same already.
    """
    before: Fact | None = state.get(type(fact), *type(fact).lookup(fact))
    if before is not None and replace(before, from_position=moment.at) == fact:
        return []
    return [*_close(before, moment), Put(fact)]


def end_fact(state: State, moment: Moment, row_type: type[Any], *key: object) -> list[Put]:
    """From here on nothing holds under this key."""
    return _close(state.get(row_type, *key), moment)


def _close(row: Any, moment: Moment) -> list[Put]:
    return [] if row is None else [Put(replace(row, to_position=moment.at))]


def point_alias(state: State, moment: Moment, collection: str, alias: str, version: int) -> list[Put]:
    """`alias` points to `version` from here on."""
    return change_fact(state, moment, Alias(collection, alias, version, moment.at, None))


def say(state: State, moment: Moment, collection: str, version: int, field: str, value: str) -> list[Put]:
    """`field` of a version is `value` from here on."""
    return change_fact(state, moment, VersionFact(collection, version, field, value, moment.at, None))


def unsay(state: State, moment: Moment, collection: str, version: int, field: str) -> list[Put]:
    """`field` of a version is empty from here on."""
    return end_fact(state, moment, VersionFact, collection, version, field)


def put_tag(state: State, moment: Moment, collection: str, version: int, tag: str) -> list[Put]:
    """A version has `tag` from here on."""
    return change_fact(state, moment, Tag(collection, version, tag, moment.at, None))


def updates(state: State, moment: Moment, changes: Iterable[Change]) -> list[Put]:
    """The versions about which an event's `changes` say something else were updated by it, unless it made them.

    An alias that moves changes the version that it leaves as well.
    """
    rows = [change.row for change in changes if isinstance(change, Put)]
    made = {(row.collection, row.version) for row in rows if isinstance(row, Version)}
    said = dict.fromkeys((row.collection, row.version) for row in rows if isinstance(row, Alias | Tag | VersionFact))
    found: list[Put] = []
    for collection, version in said:
        if (collection, version) not in made:
            update = VersionUpdate(collection, version, moment.time_us, moment.at, None)
            found += change_fact(state, moment, update)
    return found
