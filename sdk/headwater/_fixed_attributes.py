"""Objects that take no attributes but their own, so that a misspelled one is an error rather than lost."""

from collections.abc import Hashable
from difflib import get_close_matches
from functools import cache
from inspect import get_annotations
from typing import Any, cast


class FixedAttributes:
    """Refuses to set an attribute that its class does not have, and names the nearest that it has.

    Those that a class only annotates are set once, when the object is made: changing them later would change nothing
    else.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name.startswith("_") or hasattr(type(self), name)):
            _check_settable(self, name)
        super().__setattr__(name, value)


@cache
def _annotated(cls: Any) -> tuple[str, ...]:
    """The names that a class and its bases annotate. Asked for each attribute of each object: kept."""
    return tuple(known for base in cls.__mro__ for known in get_annotations(base))


def _check_settable(thing: object, name: str) -> None:
    cls = type(thing)
    annotated = _annotated(cast(Hashable, cls))
    if name in annotated:
        if name in vars(thing):
            raise AttributeError(f"{name!r} of this {cls.__name__} cannot be changed any more.")
        return
    near = get_close_matches(name, [known for known in (*dir(cls), *annotated) if not known.startswith("_")], n=1)
    meant = f"Did you mean {near[0]!r}?" if near else "Keep other values in its metadata or config, or beside it."
    raise AttributeError(f"{cls.__name__} has no attribute {name!r}. {meant}")
