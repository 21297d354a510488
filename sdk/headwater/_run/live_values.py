"""The config and the summary of a run: dictionaries that can be changed until the run ends.

A value is copied when it is set, as it will be recorded: what is done to the caller's own object afterwards has no
effect. What changes is found by comparing with what was recorded last, so that values inside values can be changed in
place.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, SupportsIndex

from headwater_schemas import metadata
from headwater_schemas.errors import InvalidMetadata
from headwater_schemas.limits import METADATA_BYTES_MAX
from headwater_schemas.names import check_label

UNSET: Any = object()
_BRACES = 2  # bytes of an empty JSON object


class Changes(NamedTuple):
    """How values differ from those that were recorded last."""

    set: str | None  # canonical JSON object; None: nothing to set
    removed: tuple[str, ...]
    error: InvalidMetadata | None  # about a value that was changed in place to what cannot be recorded


class LiveValues(dict[str, Any]):
    """Values by name; `values.lr` is `values["lr"]`. Everything in them is what JSON can hold.

    Changing them raises InvalidMetadata for what cannot be recorded, and InvalidInput once the run has ended.
    """

    __slots__ = ("_check", "_kind", "_recorded", "_sizes")

    def __init__(self, kind: str, recorded: str, *, check: Callable[[], None]) -> None:
        """`kind` is "config" or "summary", `recorded` their canonical JSON. `check` raises where none can change."""
        plain = metadata.decode(recorded)
        super().__init__(plain)
        for name, value in (("_kind", kind), ("_check", check), ("_sizes", _sizes(kind, plain))):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_recorded", {name: _text(kind, name, value) for name, value in plain.items()})

    # --- changing them

    def update(self, values: Any = UNSET, /, *, allow_val_change: bool | None = None, **named: Any) -> None:
        """Set several values, or none where one is invalid. `allow_val_change` is ignored: every value may change."""
        del allow_val_change
        self._check()
        given = {**({} if values is UNSET else _mapping(self._kind, values)), **named}
        plain = _plain(self._kind, given)
        sizes = {**self._sizes, **_sizes(self._kind, plain)}
        if sum(sizes.values()) + _BRACES > METADATA_BYTES_MAX + 1:  # the last value has no comma
            metadata.encode({**self, **plain}, self._kind)
        super().update(plain)
        self._sizes.update(sizes)

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def setdefaults(self, values: Any) -> dict[str, Any]:
        """Set those values whose names are not there yet. Returns all values."""
        given = _mapping(self._kind, values)
        self.update({name: value for name, value in given.items() if name not in self})
        return self.as_dict()

    def __ior__(self, values: Any) -> "LiveValues":  # type: ignore[override, misc]
        self.update(values)
        return self

    def __delitem__(self, name: str) -> None:
        self._check()
        super().__delitem__(name)
        self._sizes.pop(name, None)

    def pop(self, name: str, default: Any = UNSET) -> Any:
        self._check()
        self._sizes.pop(name, None)
        return super().pop(name) if default is UNSET else super().pop(name, default)

    def popitem(self) -> tuple[str, Any]:
        self._check()
        name, value = super().popitem()
        self._sizes.pop(name, None)
        return name, value

    def clear(self) -> None:
        self._check()
        super().clear()
        self._sizes.clear()

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"the {self._kind} has no value {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self:
            raise AttributeError(f"the {self._kind} has no value {name!r}")
        del self[name]

    # --- a copy is a plain dictionary

    def as_dict(self) -> dict[str, Any]:
        """The values as a dictionary that belongs to no run."""
        return metadata.decode(metadata.encode(self, self._kind))

    def copy(self) -> dict[str, Any]:
        return dict(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return dict, (dict(self),)

    # --- recording them

    def take_changes(self) -> Changes | None:
        """What changed since this was asked last, which counts as recorded from now on; None where nothing did.

        A value that cannot be recorded is left as it was, and comes as the error.
        """
        present, texts, error = dict(self), {}, None  # a copy: other threads may change it meanwhile
        for name, value in present.items():
            try:
                texts[name] = _text(self._kind, name, value)
            except InvalidMetadata as invalid:
                error = invalid
            except RuntimeError:  # another thread changes it just now: the next look will find that
                continue
        removed = tuple(name for name in self._recorded if name not in present)
        changed = {name: present[name] for name, text in texts.items() if self._recorded.get(name) != text}
        try:
            metadata.encode({name: present[name] for name in texts}, self._kind)  # all of it can be too large
            set_text = metadata.encode(changed, self._kind) if changed else None
        except InvalidMetadata as invalid:
            return Changes(None, (), invalid)
        kept = {name: text for name, text in self._recorded.items() if name in present}
        object.__setattr__(self, "_recorded", {**kept, **texts})
        return Changes(set_text, removed, error) if changed or removed or error else None


def encoded(kind: str, values: Any) -> str:
    """The canonical JSON of values, None being none. Raises: InvalidMetadata, InvalidName."""
    return metadata.encode(_plain(kind, {} if values is None else values), kind)


def _plain(kind: str, values: Any) -> metadata.JsonObject:
    given = _mapping(kind, values)
    plain = metadata.decode(metadata.encode(given, kind))
    for name in plain:
        check_label(name, f"the name of a {kind} value")
    return {name: plain[name] for name in given}  # in the caller's order


def _mapping(kind: str, values: Any) -> Mapping[str, Any]:
    argparse = sys.modules.get("argparse")  # whoever has a Namespace of it has imported it
    if argparse is not None and isinstance(values, argparse.Namespace):
        return dict(vars(values))
    if not isinstance(values, Mapping):
        raise InvalidMetadata(f"{kind} must be a dictionary, not {type(values).__name__}.")
    return values


def _text(kind: str, name: str, value: Any) -> str:
    return metadata.encode({name: value}, kind)


def _sizes(kind: str, plain: Mapping[str, Any]) -> dict[str, int]:
    """The bytes that each value takes in the JSON of all, with its name and a comma."""
    return {name: len(_text(kind, name, value).encode()) - _BRACES + 1 for name, value in plain.items()}
