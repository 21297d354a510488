"""Tables from pandas' data frames, and back. The only place that asks for pandas, and only when it is used.

What is missing in a frame is None in a table, except in columns of plain floats and objects, which hold NaN and None
themselves. The way back chooses pandas' nullable types where a column holds None, so that nothing is lost.
"""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import ModuleType, NoneType
from typing import Any

from headwater_schemas.errors import InvalidInput

from headwater._tables.cells import a_type
from headwater._tables.column_codec import INT64_MAX, INT64_MIN, kind_of

_NULLABLE: dict[type, str] = {bool: "boolean", int: "Int64", float: "Float64"}
_PANDAS_OWN = (str, datetime, timedelta)  # pandas finds their type, and holds what is missing in it


def is_frame(value: object) -> bool:
    """Whether `value` is a data frame of pandas. Does not load pandas."""
    pandas = sys.modules.get("pandas")  # nobody holds a frame before it is loaded
    return pandas is not None and isinstance(value, pandas.DataFrame)


def columns_of(frame: Any) -> dict[str, list[Any]]:
    """The columns of a data frame; its index is not one of them. Raises: InvalidInput."""
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise InvalidInput(
                f"the data frame has a column named {name!r}, {a_type(name)}. Columns are named by text: "
                "`frame.columns = frame.columns.map(str)`."
            )
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"the data frame has two columns named {twice!r}. Rename one of them.")
    return {name: _values_of(frame.iloc[:, place]) for place, name in enumerate(names)}


def frame_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """A data frame with these columns. Raises: InvalidInput when pandas is not installed."""
    pandas = _pandas()
    series = {
        place: _series_of(pandas, values)
        for place, values in enumerate(zip(*rows, strict=True) if rows else [()] * len(columns))
    }
    frame = pandas.DataFrame(series, index=range(len(rows)))
    frame.columns = pandas.Index(list(columns), dtype=None if columns else object)
    return frame


def _pandas() -> ModuleType:
    try:
        import pandas
    except ImportError:
        raise InvalidInput("a data frame needs pandas, which is not installed: `pip install pandas`.") from None
    module: ModuleType = pandas
    return module


def _values_of(series: Any) -> list[Any]:
    if not hasattr(series.dtype, "na_value") and series.dtype.kind in "Of":
        values: list[Any] = series.tolist()
        return values
    return [None if missing else value for value, missing in zip(series, series.isna(), strict=True)]


def _series_of(pandas: Any, values: Sequence[Any]) -> Any:
    return pandas.Series(list(values), dtype=_dtype_of(values))


def _dtype_of(values: Sequence[Any]) -> str | None:
    """The type to ask pandas for; None where what it finds itself loses nothing."""
    types = {type(value) for value in values}
    kinds = types - {NoneType}
    kind = kinds.pop() if len(kinds) == 1 else NoneType
    if kind is datetime and kind_of(values) == "json":
        return "object"  # readings that no clock showed, which pandas would turn to the next one that did
    if kind in _PANDAS_OWN or not values:
        return None if values else "object"
    if kind not in _NULLABLE or (kind is int and not _fits(values)):
        return "object"
    if NoneType not in types:
        return None
    if kind is float and any(value != value for value in values):
        return "object"  # pandas' nullable floats know one kind of missing value, and here are two
    return _NULLABLE[kind]


def _fits(values: Sequence[int | None]) -> bool:
    return all(value is None or INT64_MIN <= value <= INT64_MAX for value in values)
