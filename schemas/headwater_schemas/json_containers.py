"""The codecs of `typed_json` for types that are made of others: unions, sequences, mappings, tuples and records."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING
from functools import cached_property, partial
from itertools import repeat
from operator import attrgetter
from typing import Any

from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.json_codecs import KINDS, LIST, NULL, OBJECT, Codec, PlainCodec, WrongValue, checked, within


class UnionCodec(Codec[Any]):
    """One of several types, told by the JSON."""

    def __init__(self, codecs: Sequence[Codec[Any]]) -> None:
        self.kinds = frozenset().union(*(one.kinds for one in codecs))
        if len(self.kinds) < sum(len(one.kinds) for one in codecs):
            raise TypeError("of some types in a union the JSON looks the same.")
        self._codecs = codecs
        self._of_kind = {kind: one for one in codecs for kind in one.kinds}
        rest = [one for one in codecs if one.kinds != {NULL}]
        self._optional = rest[0] if len(rest) == 1 else None  # of which there is one, or None
        if self._optional is not None and self._optional.has_columns:
            self.kind_of_all = OBJECT

    def is_of(self, value: object) -> bool:
        return any(one.is_of(value) for one in self._codecs)

    def write(self, value: Any) -> Any:
        return next(one for one in self._codecs if one.is_of(value)).write(value)

    def read(self, sent: Any) -> Any:
        codec = self._of_kind.get(KINDS.get(type(sent), ""))
        if codec is None:
            raise WrongValue(sent, " or ".join(sorted(self.kinds)))
        return codec.read(sent)

    def write_all(self, values: Collection[Any]) -> Any:
        if self._optional is None:
            return super().write_all(values)
        there = [value for value in values if value is not None]
        written = self._optional.write_all(there)
        if self._optional.has_columns:
            return {"there": [value is not None for value in values], "values": written}
        following = iter(written)
        return written if len(there) == len(values) else [None if v is None else next(following) for v in values]

    def read_all(self, sent: Any) -> list[Any]:
        if self._optional is None:
            return super().read_all(sent)
        if self._optional.has_columns:
            is_there = within("there", PlainCodec(bool).read_all, _part(sent, "there"))
            values = within("values", self._optional.read_all, _part(sent, "values"))
        else:
            is_there = [one is not None for one in checked(sent, list)]
            values = self._optional.read_all(sent if all(is_there) else [one for one in sent if one is not None])
        if is_there.count(True) != len(values):
            raise WrongValue(len(values), f"{is_there.count(True)} values")
        following = iter(values)
        return values if all(is_there) else [next(following) if one else None for one in is_there]


def _part(sent: Any, name: str) -> Any:
    if name not in checked(sent, dict):
        raise WrongValue(sent, f"an object with {quoted(name)}")
    return sent[name]


class ManyCodec(Codec[Any]):
    """A sequence or set of any length."""

    def __init__(self, make: Callable[[Iterable[Any]], Any], item: Codec[Any]) -> None:
        self._make, self._item = make, item
        self.kinds = frozenset([item.kind_of_all])

    def is_of(self, value: object) -> bool:
        return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)

    def write(self, value: Any) -> Any:
        return self._item.write_all(value if isinstance(value, Collection) else list(value))

    def read(self, sent: Any) -> Any:
        return self._make(self._item.read_all(sent))


class MappingCodec(Codec[Any]):
    """Keys of any type, and their values."""

    kinds = frozenset([OBJECT])

    def __init__(self, key: Codec[Any], value: Codec[Any]) -> None:
        self._key, self._value = key, value

    def is_of(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def write(self, value: Any) -> Any:
        return {"keys": self._key.write_all(value.keys()), "values": self._value.write_all(value.values())}

    def read(self, sent: Any) -> Any:
        keys = within("keys", self._key.read_all, _part(sent, "keys"))
        values = within("values", self._value.read_all, _part(sent, "values"))
        if len(keys) != len(values):
            raise WrongValue(len(values), f"{len(keys)} values")
        return dict(zip(keys, values, strict=True))


class ProductCodec(Codec[Any]):
    """A record, or a bare tuple: one value of each of several types."""

    has_columns = True

    def __init__(
        self, make: Any, names: list[str] | None, parts: list[Codec[Any]], defaults: Mapping[str, Any]
    ) -> None:
        """`names`: of the fields; None for a bare tuple."""
        self._make, self.names, self._parts, self._defaults = make, names, parts, defaults
        self.kind_of_all = LIST if names is None else OBJECT
        self.kinds = frozenset([self.kind_of_all])

    def is_of(self, value: object) -> bool:
        return isinstance(value, self._make)

    @cached_property
    def _values_of(self) -> Callable[[Any], Sequence[Any]]:
        if self.names is None or issubclass(self._make, tuple):
            return tuple
        first, *others = self.names
        return attrgetter(first, *others) if others else lambda value: (getattr(value, first),)

    @cached_property
    def _made_of(self) -> Callable[[Any], Any]:
        if self.names is None:
            return tuple
        make = self._make
        return make._make if issubclass(make, tuple) else lambda values: make(*values)

    def write(self, value: Any) -> Any:
        parts = [codec.write(one) for codec, one in zip(self._parts, self._values_of(value), strict=True)]
        return parts if self.names is None else dict(zip(self.names, parts, strict=True))

    def read(self, sent: Any) -> Any:
        names, parts = self.names or (), self._parts_of(sent, lambda codec, part: codec.read(part))
        return self._made_of([self._defaults[names[i]] if one is MISSING else one for i, one in enumerate(parts)])

    def write_all(self, values: Collection[Any]) -> Any:
        columns = list(zip(*map(self._values_of, values), strict=True)) or [()] * len(self._parts)
        parts = [codec.write_all(column) for codec, column in zip(self._parts, columns, strict=True)]
        return parts if self.names is None else dict(zip(self.names, parts, strict=True))

    def read_all(self, sent: Any) -> list[Any]:
        columns = self._parts_of(sent, lambda codec, part: codec.read_all(part))
        counts = {len(column) for column in columns if column is not MISSING}
        if len(counts) > 1:
            raise WrongValue(sent, "columns of one length")
        names = self.names or ()
        whole = [repeat(self._defaults[names[i]]) if one is MISSING else one for i, one in enumerate(columns)]
        return list(map(self._made_of, zip(*whole, strict=False))) if counts else []  # those of defaults never end

    def _parts_of(self, sent: Any, read: Callable[[Codec[Any], Any], Any]) -> list[Any]:
        """What `read` makes of each part; MISSING for a field that was not sent and has a default."""
        if self.names is None:
            if len(checked(sent, list)) != len(self._parts):
                raise WrongValue(sent, f"a list of {len(self._parts)}")
            return [within(i, partial(read, codec), sent[i]) for i, codec in enumerate(self._parts)]
        checked(sent, dict)
        return [
            MISSING
            if name in self._defaults and name not in sent
            else within(name, partial(read, codec), _part(sent, name))
            for name, codec in zip(self.names, self._parts, strict=True)
        ]
