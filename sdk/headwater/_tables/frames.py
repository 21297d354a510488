"""Tables from pandas data frames, and back. The only module that imports pandas, and only when it is used.

A missing value in a frame is None in a table, except in columns of plain floats and objects, which hold NaN and None
themselves. Back in a frame, a column with None gets a nullable type, so that nothing is lost.
"""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import ModuleType, NoneType
from typing import Any

from headwater_schemas.errors import InvalidInput

from headwater._tables.cells import describe_type
from headwater._tables.column_codec import INT64_MAX, INT64_MIN, column_kind

_NULLABLE: dict[type, str] = {bool: "boolean", int: "Int64", float: "Float64"}
_INFERRED = (str, datetime, timedelta)  # pandas infers their dtype, which has a missing value


def is_frame(value: object) -> bool:
    """Whether `value` is a pandas data frame. Does not load pandas."""
    pandas = sys.modules.get("pandas")  # there is no frame before it is loaded
    return pandas is not None and isinstance(value, pandas.DataFrame)


def frame_columns(frame: Any) -> dict[str, list[Any]]:
    """The columns of a data frame; its index is not one of them. Raises: InvalidInput."""
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise InvalidInput(
                f"the data frame has a column named {name!r}, {describe_type(name)}. Column names are text: "
                "`frame.columns = frame.columns.map(str)`."
            )
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"the data frame has two columns named {twice!r}. Rename one of them.")
    return {name: _values_of(frame.iloc[:, position]) for position, name in enumerate(names)}


def to_frame(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """A data frame with these columns. Raises: InvalidInput when pandas is not installed."""
    pandas = _pandas()
    series = {
        position: _series_of(pandas, values)
        for position, values in enumerate(zip(*rows, strict=True) if rows else [()] * len(columns))
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
    """The dtype to request; None where the one that pandas infers loses nothing."""
    types = {type(value) for value in values}
    kinds = types - {NoneType}
    kind = kinds.pop() if len(kinds) == 1 else NoneType
    if kind is datetime and column_kind(values) == "json":
        return "object"  # local times that do not exist, which pandas would shift to the next valid one
    if kind in _INFERRED or not values:
        return None if values else "object"
    if kind not in _NULLABLE or (kind is int and not _fits(values)):
        return "object"
    if NoneType not in types:
        return None
    if kind is float and any(value != value for value in values):
        return "object"  # nullable floats have one kind of missing value, and here are two
    return _NULLABLE[kind]


def _fits(values: Sequence[int | None]) -> bool:
    return all(value is None or INT64_MIN <= value <= INT64_MAX for value in values)
