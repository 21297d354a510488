"""The fields of a record as a tuple, by functions that are made once a type: asking for each by name is slow."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any


def values_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that gives these fields of a record, in this order."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda _: ()
    single = attrgetter(*names)
    return lambda record: (single(record),)
