"""The metadata of a collection's versions: a table with chosen columns, and a plot of one of them."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries.metadata_series import MetadataSeries, metadata_series

from headwater_server.http.problems import not_found
from headwater_server.resources.paging import cursor_key, cursor_text
from headwater_server.web.views.json_values import KEYS_MAX, Value, flat, value_of

PAGE = 50
PLOTTED_MAX = 400  # versions
COLUMNS_MAX = 12  # that are shown at once
COLUMNS_CHOSEN = 6  # where the address chooses none
KEYS_OFFERED_MAX = 200
CELL_LENGTH_MAX = 80  # characters
_LIST = "metadata"


@dataclass(frozen=True, slots=True)
class Column:
    """A key that versions have."""

    key: str
    versions: int  # of those looked at that have it
    numbers: int  # of those looked at where it is a number
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One version, with its value in each column that is shown."""

    version: int
    created_us: int
    values: Sequence[Value | None]


@dataclass(frozen=True, slots=True)
class Point:
    """One version in the plot."""

    version: int
    value: float


@dataclass(frozen=True, slots=True)
class Metadata:
    """The table, and the plot."""

    collection: str
    project: str
    name: str
    looked_at: int  # versions, the newest: those of the plot, whose keys are offered
    is_cut: bool  # there are older ones
    columns: Sequence[Column]
    shown: Sequence[str]  # keys, in the order of the table
    rows: Sequence[Row]
    is_first: bool
    next: str | None  # the cursor of the rows after these
    plotted: str | None  # a key; None: no version has a number
    points: Sequence[Point]  # the oldest first


def metadata(
    database: Database, *, collection: str, columns: Sequence[str], plotted: str | None, cursor: str | None
) -> Metadata:
    """The table of a collection that may be read. Cost: the metadata of PLOTTED_MAX versions, and of the page's."""
    if queries.collection_info(database, collection) is None:
        raise not_found(collection)
    series = metadata_series(database, collection, limit=PLOTTED_MAX + 1)
    looked_at = series.versions[:PLOTTED_MAX]
    asked = (*columns, *(() if plotted is None else (plotted,)))
    flattened = [_flattened(one.metadata, asked) for one in looked_at]
    offered = _offered(flattened)
    shown = list(dict.fromkeys(columns))[:COLUMNS_MAX] or [one for one, _ in offered][:COLUMNS_CHOSEN]
    numbers = Counter(key for values in flattened for key, value in values.items() if _number(value) is not None)
    chosen = plotted if plotted is not None else _most_numbers(shown, numbers)
    page = _page(database, collection, cursor)
    versions = page.versions[:PAGE]
    has_next = len(page.versions) > PAGE or not page.complete
    rows = [Row(one.version, one.created_us, _cells(_flattened(one.metadata, shown), shown)) for one in versions]
    return Metadata(
        collection=collection,
        project=collection.rpartition("/")[0],
        name=collection.rpartition("/")[2],
        looked_at=len(looked_at),
        is_cut=len(series.versions) > PLOTTED_MAX or not series.complete,
        columns=[Column(key, count, numbers[key], key in shown) for key, count in offered],
        shown=shown,
        rows=rows,
        is_first=cursor is None,
        next=cursor_text(_LIST, rows[-1].version) if has_next else None,
        plotted=chosen,
        points=_points(zip((one.version for one in looked_at), flattened, strict=True), chosen),
    )


def _page(database: Database, collection: str, cursor: str | None) -> MetadataSeries:
    after = None if cursor is None else cursor_key(_LIST, cursor, int)[0]
    return metadata_series(database, collection, after=after, limit=PAGE + 1)


def _flattened(text: str, asked: Iterable[str]) -> Mapping[str, Any]:
    """The first KEYS_MAX values, and those that are asked for."""
    wanted = frozenset(asked)
    found = enumerate(flat(json.loads(text)))
    return {key: value for place, (key, value) in found if place < KEYS_MAX or key in wanted}


def _offered(versions: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """The keys that most versions have, with how many have them."""
    counted = Counter(key for values in versions for key in values)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:KEYS_OFFERED_MAX]


def _most_numbers(shown: Sequence[str], numbers: Mapping[str, int]) -> str | None:
    """Of the columns that are shown, the one to plot; else any that has numbers."""
    with_numbers = [key for key in shown if numbers.get(key)] or sorted(numbers)
    return max(with_numbers, key=lambda key: numbers[key], default=None)


def _cells(values: Mapping[str, Any], shown: Sequence[str]) -> list[Value | None]:
    return [value_of(key, values[key], CELL_LENGTH_MAX) if key in values else None for key in shown]


def _points(versions: Iterable[tuple[int, Mapping[str, Any]]], key: str | None) -> list[Point]:
    if key is None:
        return []
    found = ((version, _number(values.get(key))) for version, values in versions)
    return [Point(version, value) for version, value in found if value is not None][::-1]


def _number(value: Any) -> float | None:
    """A number that can be drawn."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
