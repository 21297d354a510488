"""Objects that take no attributes but their own, so that a misspelled one is an error rather than lost."""

from difflib import get_close_matches
from inspect import get_annotations


class FixedAttributes:
    """Refuses to set an attribute that its class does not have, and names the nearest that it has."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name.startswith("_") or hasattr(type(self), name) or name in _annotated(type(self))):
            raise AttributeError(_refusal(type(self), name))
        super().__setattr__(name, value)


def _annotated(cls: type) -> list[str]:
    return [name for base in cls.__mro__ for name in get_annotations(base)]


def _refusal(cls: type, name: str) -> str:
    public = [known for known in (*dir(cls), *_annotated(cls)) if not known.startswith("_")]
    near = get_close_matches(name, public, n=1)
    meant = f"Did you mean {near[0]!r}?" if near else "Keep other values in its metadata or config, or beside it."
    return f"{cls.__name__} has no attribute {name!r}. {meant}"
