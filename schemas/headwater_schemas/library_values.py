"""Scalars of numpy, pandas and libraries like them, as Python's own. Neither library is loaded here.

Each library has values of its own for "missing": numpy's masked elements and NaT, pandas' NA and NaT. All are None
here; NaN is a number and stays one.
"""

import sys
from typing import Any


def is_missing_in_pandas(value: object) -> bool:
    """Whether `value` is pandas' NA or NaT."""
    pandas = sys.modules.get("pandas")  # there is no value of pandas before it is loaded
    return pandas is not None and (value is getattr(pandas, "NA", value) or value is getattr(pandas, "NaT", value))


def is_scalar(value: Any) -> bool:
    """Whether `value` is a scalar or a 0-d array."""
    return getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None))


def to_python(scalar: Any) -> Any:
    """A scalar or 0-d array as Python's own type; None where it is missing.

    `item` would give what lies below the mask. A time in a unit that Python lacks is an integer, and a long double
    itself.
    """
    return scalar.tolist() if callable(getattr(scalar, "tolist", None)) else scalar.item()


def is_time(value: Any) -> bool:
    """Whether it is a moment or a duration of numpy, or an array of them."""
    return getattr(getattr(value, "dtype", None), "kind", None) in ("m", "M")
